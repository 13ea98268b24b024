import { constants, openSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { CloneFlag, shownFlags } from '@engine/linux/clone-flags'
import { pidfdOpen } from '@engine/linux/pidfd'
import { processStat } from '@engine/linux/process-stat'
import type { OciProcess } from '../spec.ts'
import { begin, type BirthScope, type Plan } from './begin.ts'
import type { Birth, Stdio } from './birth.ts'
import { enterDirectory, execute, notExecuted } from './execute.ts'
import { becomeUser, resetSignals, setNoNewPrivileges, setRlimits } from './identity.ts'
import { joinCgroup, joinKeyring, openCgroup, setOomScore } from './kernel-files.ts'
import { secondStage } from './second-stage.ts'
import { statInRoot } from './stat-in-root.ts'
import { connectStreams, openStreams, terminalStreams, type Streams } from './streams.ts'
import { openContainerTerminal } from './terminal.ts'

const PR_SET_NAME = 15

/** The running container that a process joins. */
export interface ExecTarget {
  /** Host pid of its first process. */
  readonly pid: number
  /** Field 22 of /proc/<pid>/stat: another process with the same pid is not joined. */
  readonly startTime: string
  readonly cgroupsPath: string
}

/**
 * Begins the birth of one more process in a running container. Runs in the shim, like createProcess.
 * One setns(2) on the container's pidfd joins all its namespaces; the process appears in the container's sight only with the
 * second fork, and comes to execve from there in some thirty calls.
 * @throws EngineError conflict when the container is gone
 */
export function execProcess(target: ExecTarget, process: OciProcess, stdio: Stdio, options: { readonly filter?: Buffer }): Birth {
  return begin((scope) => layOut(scope, target, process, stdio, options.filter))
}

function layOut(scope: BirthScope, target: ExecTarget, process: OciProcess, stdio: Stdio, filter: Buffer | undefined): Plan {
  const { program, hold } = scope
  const container = openContainer(target, hold)
  const root = openSync(`/proc/${target.pid}/root`, constants.O_DIRECTORY)
  hold(root)
  const cgroup = openCgroup(target.cgroupsPath, hold)
  const streams: Streams = 'terminal' in stdio ? terminalStreams(openContainerTerminal(root), stdio.terminal, hold) : openStreams(stdio, hold, () => [])

  program.call('prctl', [PR_SET_NAME, program.string('engine-init'), 0, 0, 0], { args: { option: 'PR_SET_NAME', name: 'engine-init' } })
  joinCgroup(program, cgroup)
  setOomScore(program, process.oomScoreAdj ?? 0)
  const flags = CloneFlag.NEWNS | CloneFlag.NEWUTS | CloneFlag.NEWIPC | CloneFlag.NEWNET | CloneFlag.NEWPID | CloneFlag.NEWCGROUP
  program.call('setns', [container, flags], { args: { pid: target.pid, flags: shownFlags(flags) }, failure: 'error joining the container\'s namespaces' })
  // Whatever can be done before the container sees the process is.
  joinKeyring(program, '_ses.exec')
  program.call('umask', [process.user.umask ?? 0o022], { args: { mask: process.user.umask ?? 0o022 } })
  setRlimits(program, process.rlimits)
  const stage = secondStage(program)
  program.call('setsid', [], { args: {} })
  connectStreams(program, streams, process)
  resetSignals(program)
  setNoNewPrivileges(program, process.noNewPrivileges)
  becomeUser(program, process, filter !== undefined && !process.noNewPrivileges)
  enterDirectory(program, process.cwd)
  const calls = execute(program, process, filter)
  stage.end()

  return {
    flags: 0,
    cgroup: cgroup.birthplace,
    calls,
    pidAt: stage.pidAt,
    ...(streams.master === undefined ? {} : { master: streams.master }),
    notExecuted: (done) => notExecuted(done, process.args[0] ?? '', calls, (path) => statInRoot(`/proc/${target.pid}/root`, path)),
  }
}

/** Opens the container's pidfd and makes sure that it is still that process. */
function openContainer({ pid, startTime }: ExecTarget, held: (fd: number) => void): number {
  const gone = (cause?: unknown): EngineError => new EngineError('conflict', 'cannot exec in a stopped container', { cause })
  let pidfd: number
  try {
    pidfd = pidfdOpen(pid)
  } catch (error) {
    throw gone(error)
  }
  held(pidfd)
  if (processStat(pid)?.startTime !== startTime) throw gone()
  return pidfd
}
