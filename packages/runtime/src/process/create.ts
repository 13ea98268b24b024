import { overflowId, toHostId, type IdMappings } from '@engine/linux/id-mappings'
import type { OciProcess, OciSpec } from '../spec.ts'
import { begin, type BirthScope, type Plan } from './begin.ts'
import type { Birth, BirthOptions, Filter, Stdio } from './birth.ts'
import { refuseUnlessRunnable } from './check-spec.ts'
import { makeBehindLinks } from './dangling-links.ts'
import { closeAllBut } from './descriptors.ts'
import { detach } from './detach.ts'
import { bindConsole, makeDevices } from './devices.ts'
import { detachDevices, prepareDevices } from './prepared-devices.ts'
import { closeByExecve, enterDirectory, layOutExecution, loadFilter, notExecuted } from './execute.ts'
import { becomeUser, raiseHardLimits, resetSignals, setNoNewPrivileges, setRlimits } from './identity.ts'
import { changeProfileOnExec, joinCgroup, joinKeyring, openCgroup, setNames, setOomScore, writeSysctls } from './kernel-files.ts'
import { makePathsReadonly, maskPaths } from './masks.ts'
import { mountAll, prepareMounts } from './mounts.ts'
import { parseMountOptions, type MountOptions } from './mount-options.ts'
import { hasOwn, joinNamespace, joinNamespaces, makeOwnNamespaces, namespaceFlags, openJoined } from './namespaces.ts'
import { guard } from './passage.ts'
import { openTarget } from './path-in-root.ts'
import { statInRoot } from './stat-in-root.ts'
import { bindRoot, pivot, prepareRoot } from './root.ts'
import { secondStage } from './second-stage.ts'
import { connectStreams, controlTerminal, openStreams } from './streams.ts'
import { asContainerRoot, enterUserNamespace, hostIds, makePidNamespace, openUserNamespace } from './user-namespace.ts'

/**
 * Begins the birth of a container's first process: OCI runtime spec in, process out.
 *
 * This function runs in the shim, on its main thread, and returns as soon as the child is forked. The child makes the calls
 * that are laid out here, one after the other, beginning in the shim's namespaces as root and ending with execve.
 * Its cgroup exists already, and so does a network namespace that it joins.
 * @throws EngineError, SyscallError when the preparations in this process fail (a bind's source is missing, …)
 */
export function createProcess(spec: OciSpec, stdio: Stdio, options: BirthOptions): Birth {
  refuseUnlessRunnable(spec)
  return begin((scope) => layOut(scope, spec, stdio, options.filter), options.silent)
}

function layOut(scope: BirthScope, spec: OciSpec, stdio: Stdio, compiled: Filter | undefined): Plan {
  const { program, hold } = scope
  const { process } = spec
  const filter = compiled === undefined ? undefined : guard(compiled, ['exit_group'])
  const joined = openJoined(spec, hold)
  const cgroup = openCgroup(spec.linux.cgroupsPath, hold)
  const user = openUserNamespace(spec, joined, hold)
  asContainerRoot(user, () => makeBehindLinks(spec))
  const root = user === undefined ? undefined : prepareRoot(spec, hold)
  const mounts = prepareMounts(spec, hold, user !== undefined)
  const devices = user === undefined ? undefined : prepareDevices(spec, user.mappings, hold)
  const devptsMount = spec.mounts.find((mount) => mount.type === 'devpts')
  const streams = openStreams(stdio, scope, () => devptsData(parseMountOptions(devptsMount?.options ?? []).data, user?.mappings))
  const pid = joined.get('pid')

  connectStreams(program, streams, hostUser(process, user?.mappings))
  detach(program, scope.held)
  program.call('umask', [0], { args: { mask: 0 }, quiet: true })
  joinCgroup(program, cgroup)
  setOomScore(program, process.oomScoreAdj ?? 0)
  changeProfileOnExec(program, process.apparmorProfile)
  // So early, because it is the process that mounts procfs whose PID namespace that shows.
  program.keepApart()
  if (pid !== undefined) joinNamespace(program, 'pid', pid)
  if (user !== undefined) {
    raiseHardLimits(program, process.rlimits)
    joinNamespaces(program, joined)
    enterUserNamespace(program, user)
    if (hasOwn(spec, 'pid')) makePidNamespace(program)
  }
  const staged = pid !== undefined || (user !== undefined && hasOwn(spec, 'pid'))
  const stage = staged ? secondStage(program, undefined) : undefined
  program.call('setsid', [], { args: {} })
  joinKeyring(program)
  if (user === undefined) joinNamespaces(program, joined)
  makeOwnNamespaces(program, spec)
  const nodes = devices === undefined ? undefined : detachDevices(program, devices)
  bindRoot(program, spec, root)
  mountAll(program, mounts, streams.devpts)
  makeDevices(program, spec, nodes)
  if (streams.slave !== undefined) bindConsole(program)
  setNames(program, spec)
  writeSysctls(program, spec)
  makePathsReadonly(program, spec)
  maskPaths(program, spec)
  // In a volume it may be missing; in the image it is not.
  openTarget(program, process.cwd, 'directory', `mkdir ${process.cwd}`)
  pivot(program, spec)
  controlTerminal(program, streams, undefined)
  resetSignals(program)
  program.call('umask', [process.user.umask ?? 0o022], { args: { mask: process.user.umask ?? 0o022 } })
  // The next new descriptor is 3 or 4, so that a low RLIMIT_NOFILE is not in the way of the working directory.
  closeAllBut(program, [0, 1, 2, scope.ready])
  setRlimits(program, process.rlimits)
  setNoNewPrivileges(program, process.noNewPrivileges)
  becomeUser(program, process, filter !== undefined && !process.noNewPrivileges)
  enterDirectory(program, process.cwd, undefined)
  const execution = layOutExecution(program, process)
  closeByExecve(program)
  loadFilter(program, filter)
  const calls = execution.execute()
  stage?.end()

  return {
    flags: user === undefined && hasOwn(spec, 'pid') ? namespaceFlags.pid : 0,
    cgroup: cgroup.birthplace,
    calls,
    passage: filter?.passage,
    ...(stage === undefined ? {} : { pidAt: stage.pidAt }),
    ...(streams.master === undefined ? {} : { master: streams.master }),
    notExecuted: (done) => notExecuted(done, process, calls, (path) => statInRoot(spec.root.path, path)),
  }
}

/** A process's user as the host knows it: its terminal is given to that one. */
function hostUser({ user }: OciProcess, mappings: IdMappings | undefined): number {
  return mappings === undefined ? user.uid : hostIds(mappings, user).uid
}

/** Options of a devpts that is made outside of the user namespace, by the host's ids. */
function devptsData(data: MountOptions['data'], mappings: IdMappings | undefined): MountOptions['data'] {
  if (mappings === undefined) return data
  return data.map(([key, value]) => {
    const ids = key === 'gid' ? mappings.gids : key === 'uid' ? mappings.uids : undefined
    return [key, ids === undefined ? value : String(toHostId(ids, Number(value)) ?? overflowId)]
  })
}
