import { constants, openSync } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { CloneFlag, shownFlags } from '@engine/linux/clone-flags'
import type { IdMappings } from '@engine/linux/id-mappings'
import { pidfdOpen } from '@engine/linux/pidfd'
import { processStat } from '@engine/linux/process-stat'
import type { OciProcess } from '../spec.ts'
import { begin, type BirthScope, type Plan } from './begin.ts'
import type { Birth, BirthOptions, Filter, Stdio } from './birth.ts'
import { refuseUnlessExecutable } from './check-spec.ts'
import { closeAllBut } from './descriptors.ts'
import { detach, setUndumpable } from './detach.ts'
import { closeByExecve, enterDirectory, layOutExecution, loadFilter, notExecuted } from './execute.ts'
import { becomeUser, dropKept, raiseHardLimits, resetSignals, setNoNewPrivileges, setRlimits } from './identity.ts'
import { changeProfileOnExec, joinCgroup, joinKeyring, openCgroup, setOomScore } from './kernel-files.ts'
import { guard, passing } from './passage.ts'
import { secondStage } from './second-stage.ts'
import { statInRoot } from './stat-in-root.ts'
import { connectStreams, controlTerminal, openStreams, terminalStreams } from './streams.ts'
import { openContainerTerminal } from './terminal.ts'
import { hostIds, joinedMappings } from './user-namespace.ts'

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
 *
 * One setns(2) on the container's pidfd joins all its namespaces, its user namespace first if it has one of its own. In its PID namespace is only what is forked afterwards: before
 * that second fork the process has become what it is to be, with the container's capabilities and filter, and has nothing left
 * of the shim's. So a container that may trace its processes gets nothing that it has not (CVE-2016-9962).
 * @throws EngineError conflict when the container is gone
 */
export function execProcess(target: ExecTarget, process: OciProcess, stdio: Stdio, options: BirthOptions): Birth {
  refuseUnlessExecutable(process)
  return begin((scope) => layOut(scope, target, process, stdio, options.filter), options.silent)
}

function layOut(scope: BirthScope, target: ExecTarget, process: OciProcess, stdio: Stdio, compiled: Filter | undefined): Plan {
  const { program, hold } = scope
  const filter = compiled === undefined ? undefined : guard(compiled, ['capset', 'clone', 'setsid', 'openat2', 'fchdir', 'exit_group', ...('terminal' in stdio ? (['ioctl'] as const) : [])])
  const { pidfd, root, mappings } = openContainer(target, hold)
  const cgroup = openCgroup(target.cgroupsPath, hold)
  const streams = 'terminal' in stdio ? terminalStreams(openContainerTerminal(root), stdio.terminal, scope) : openStreams(stdio, scope, () => [])
  const keptForFilter = filter !== undefined && !process.noNewPrivileges

  connectStreams(program, streams, mappings === undefined ? process.user.uid : hostIds(mappings, process.user).uid)
  detach(program, scope.held)
  joinCgroup(program, cgroup)
  setOomScore(program, process.oomScoreAdj ?? 0)
  changeProfileOnExec(program, process.apparmorProfile)
  if (mappings !== undefined) raiseHardLimits(program, process.rlimits)
  const all = CloneFlag.NEWNS | CloneFlag.NEWUTS | CloneFlag.NEWIPC | CloneFlag.NEWNET | CloneFlag.NEWPID | CloneFlag.NEWCGROUP
  // To join the namespace that one is in already is an error.
  const flags = mappings === undefined ? all : all | CloneFlag.NEWUSER
  program.call('setns', [pidfd, flags], { args: { pid: target.pid, flags: shownFlags(flags) }, failure: 'error joining the container\'s namespaces' })
  if (mappings !== undefined) setUndumpable(program)
  joinKeyring(program)
  resetSignals(program)
  program.call('umask', [process.user.umask ?? 0o022], { args: { mask: process.user.umask ?? 0o022 } })
  closeAllBut(program, [0, 1, 2, scope.ready])
  setRlimits(program, process.rlimits)
  setNoNewPrivileges(program, process.noNewPrivileges)
  becomeUser(program, process, keptForFilter)
  const execution = layOutExecution(program, process)
  closeByExecve(program)
  program.keepApart()
  loadFilter(program, filter)
  if (keptForFilter) dropKept(program, process, filter.passage)
  // Only from here on does the container see the process.
  const stage = secondStage(program, filter?.passage)
  program.call('setsid', passing(filter?.passage, []), { args: {} })
  controlTerminal(program, streams, filter?.passage)
  enterDirectory(program, process.cwd, filter?.passage)
  const calls = execution.execute()
  stage.end()

  return {
    flags: 0,
    cgroup: cgroup.birthplace,
    calls,
    passage: filter?.passage,
    pidAt: stage.pidAt,
    ...(streams.master === undefined ? {} : { master: streams.master }),
    notExecuted: (done) => notExecuted(done, process, calls, (path) => statInRoot(`/proc/${target.pid}/root`, path)),
  }
}

/** Opens the container's pidfd and root, and makes sure that they are still that process's. */
function openContainer({ pid, startTime }: ExecTarget, held: (fd: number) => void): { readonly pidfd: number; readonly root: number; readonly mappings: IdMappings | undefined } {
  try {
    const pidfd = pidfdOpen(pid)
    held(pidfd)
    const root = openSync(`/proc/${pid}/root`, constants.O_DIRECTORY)
    held(root)
    const mappings = joinedMappings(pid)
    // Asked for last: what was opened before is that process's.
    if (processStat(pid)?.startTime === startTime) return { pidfd, root, mappings }
  } catch (error) {
    const gone = failedWith(error, Errno.ESRCH, Errno.EINVAL) || (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
    if (!gone) throw error
  }
  throw new EngineError('conflict', 'cannot exec in a stopped container')
}
