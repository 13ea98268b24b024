import { createHash } from 'node:crypto'
import type { OciSpec } from '../spec.ts'
import { begin, type BirthScope, type Plan } from './begin.ts'
import type { Birth, Stdio } from './birth.ts'
import { bindConsole, makeDevices } from './devices.ts'
import { enterDirectory, execute, notExecuted } from './execute.ts'
import { becomeUser, resetSignals, setNoNewPrivileges, setRlimits } from './identity.ts'
import { joinCgroup, joinKeyring, openCgroup, setNames, setOomScore, writeSysctls } from './kernel-files.ts'
import { makePathsReadonly, maskPaths } from './masks.ts'
import { mountAll, prepareMounts } from './mounts.ts'
import { parseMountOptions } from './mount-options.ts'
import { enterNamespaces, hasOwn, namespaceFlags, openJoined } from './namespaces.ts'
import { statInRoot } from './stat-in-root.ts'
import { bindRoot, pivot } from './root.ts'
import { secondStage } from './second-stage.ts'
import { connectStreams, openStreams } from './streams.ts'

const PR_SET_NAME = 15

/**
 * Begins the birth of a container's first process: OCI runtime spec in, process out.
 *
 * This function runs in the shim, on its main thread, and returns as soon as the child is forked. The child makes the calls
 * that are laid out here, one after the other, beginning in the shim's namespaces as root and ending with execve.
 * Its cgroup exists already, and so does a network namespace that it joins.
 * @param filter the compiled seccomp program, or none
 * @throws EngineError, SyscallError when the preparations in this process fail (a bind's source is missing, …)
 */
export function createProcess(spec: OciSpec, stdio: Stdio, options: { readonly filter?: Buffer }): Birth {
  return begin((scope) => layOut(scope, spec, stdio, options.filter))
}

function layOut(scope: BirthScope, spec: OciSpec, stdio: Stdio, filter: Buffer | undefined): Plan {
  const { program, hold } = scope
  const { process } = spec
  const joined = openJoined(spec, hold)
  const cgroup = openCgroup(spec.linux.cgroupsPath, hold)
  const mounts = prepareMounts(spec, hold)
  const devptsMount = spec.mounts.find((mount) => mount.type === 'devpts')
  const streams = openStreams(stdio, hold, () => parseMountOptions(devptsMount?.options ?? []).data)
  const pid = joined.get('pid')

  program.call('prctl', [PR_SET_NAME, program.string('engine-init'), 0, 0, 0], { args: { option: 'PR_SET_NAME', name: 'engine-init' } })
  program.call('umask', [0], { args: { mask: 0 }, quiet: true })
  joinCgroup(program, cgroup)
  setOomScore(program, process.oomScoreAdj ?? 0)
  const stage = pid === undefined ? undefined : secondStage(program, pid)
  program.call('setsid', [], { args: {} })
  joinKeyring(program, `_ses.${sessionName(spec)}`)
  enterNamespaces(program, spec, joined)
  bindRoot(program, spec)
  mountAll(program, mounts, streams.devpts)
  makeDevices(program, spec)
  if (streams.slave !== undefined) bindConsole(program, streams.slave)
  setNames(program, spec)
  writeSysctls(program, spec)
  makePathsReadonly(program, spec)
  maskPaths(program, spec)
  pivot(program, spec)
  connectStreams(program, streams, process)
  resetSignals(program)
  program.call('umask', [process.user.umask ?? 0o022], { args: { mask: process.user.umask ?? 0o022 } })
  setRlimits(program, process.rlimits)
  setNoNewPrivileges(program, process.noNewPrivileges)
  becomeUser(program, process, filter !== undefined && !process.noNewPrivileges)
  enterDirectory(program, process.cwd)
  const calls = execute(program, process, filter)
  stage?.end()

  return {
    flags: hasOwn(spec, 'pid') ? namespaceFlags.pid : 0,
    cgroup: cgroup.birthplace,
    calls,
    ...(stage === undefined ? {} : { pidAt: stage.pidAt }),
    ...(streams.master === undefined ? {} : { master: streams.master }),
    notExecuted: (done) => notExecuted(done, process.args[0] ?? '', calls, (path) => statInRoot(spec.root.path, path)),
  }
}

/** The keyring's name is seen in /proc/keys; it need only differ between containers. */
function sessionName(spec: OciSpec): string {
  return createHash('sha256').update(spec.linux.cgroupsPath).digest('hex').slice(0, 16)
}

