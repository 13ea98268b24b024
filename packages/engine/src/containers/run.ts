import { mkdirSync } from 'node:fs'
import { openRoot } from '@engine/linux/paths'
import { BirthError, createCgroup, removeCgroup, resolveUser, type Started } from '@engine/runtime'
import { defaultCdiSpecDirs, injectCdi } from '../cdi/inject.ts'
import { now, rfc3339 } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import { startHealth } from '../health/monitor.ts'
import { withContainer } from '../ledger/cause.ts'
import { transaction } from '../state/database.ts'
import { asContainerRoot, checkRemap, isRemapped, rootIds } from '../userns/container-ids.ts'
import { openWayTo } from '../userns/runtime-access.ts'
import { startNamespaces } from '../userns/start-namespaces.ts'
import { cgroupPath } from './cgroup-path.ts'
import { noSandbox, type Container, type Sandbox } from './container.ts'
import { imagesOf, mountImages } from './image-mounts.ts'
import { findInit } from './init-program.ts'
import { linkEnvironment, updateLinkers } from './links.ts'
import { joinedNamespaces, type JoinedNamespaces } from './joined-namespaces.ts'
import { initializeLog } from './open-log.ts'
import { externalRuntime } from './runtimes.ts'
import { openSandbox, wantsSpare } from './sandbox.ts'
import { publishNetwork, publishVolumes } from './publish.ts'
import { writeNetworkFiles } from './network-files.ts'
import { mountSharedMemory, prepareMounts, removeRunDirectory, volumeNames } from './prepare-mounts.ts'
import { containerCapabilities, containerSpec } from './spec/container-spec.ts'
import { containerRlimits } from './spec/rlimits.ts'
import { seccompFilter, seccompProfile } from './spec/seccomp-filter.ts'
import { parseSecurityOptions } from './spec/security-options.ts'
import { birthRecords, startFailure } from './start-error.ts'
import { transition } from './state.ts'
import { makeWorkingDirectory } from './working-directory.ts'

/** Runs a container that is not running; its lock is held. What fails is undone, recorded in State, and thrown as Docker says it. */
export async function runContainer(engine: EngineContext, container: Container): Promise<void> {
  await container.teardown
  container.policyCancelled = false
  container.oomReported = false
  await withContainer(container.id, async () => {
    const intent = engine.intents.begin('container start', container.id)
    try {
      const { started, sandbox } = await launch(engine, container)
      commit(engine, container, started, sandbox, intent)
    } catch (failed) {
      if (failed instanceof BirthError) engine.ledger.add(container.id, birthRecords(failed))
      const { error, exitCode } = startFailure(failed)
      container.state.error = error.message
      container.state.exitCode = exitCode
      container.sandbox = noSandbox
      transaction(engine.db, () => {
        engine.containers.saveState(container)
        engine.intents.end(intent)
      })
      throw error
    }
  })
}

function commit(engine: EngineContext, container: Container, started: Started, sandbox: Sandbox, intent: number): void {
  const { state } = container
  transition(container.id, state, 'running')
  Object.assign(state, { pid: started.pid, startTime: started.startTime, bootId: engine.bootId, exitCode: 0, error: '', oomKilled: false, manuallyStopped: false, startedAt: executedAt(started) })
  container.sandbox = sandbox
  container.connecting = []
  transaction(engine.db, () => {
    engine.containers.saveState(container)
    engine.intents.end(intent)
    for (const image of imagesOf(container.record)) engine.images.used(image)
  })
  engine.ledger.add(container.id, started.records)
  publishVolumes(engine, container, 'mount')
  publishNetwork(engine, container, 'connect', sandbox)
  updateLinkers(engine, container)
  engine.events.publish('container', 'start', container.id, container.attributes())
  container.wake('started')
  startHealth(engine, container)
}

/** When the container's program was executed, or another runtime was told to: its process may have ended before its start is known here. */
function executedAt({ records }: Started): string {
  const last = records.findLast(({ call }) => call === 'execve' || call.endsWith(' start'))
  return rfc3339(last === undefined ? now() : BigInt(last.at))
}

/** Every step of a start up to the running process. In the order of a container's birth; each registers how it is undone. */
async function launch(engine: EngineContext, container: Container): Promise<{ readonly started: Started; readonly sandbox: Sandbox }> {
  const { hostConfig: host, config } = container.record
  const paths = engine.paths.container(container.id)
  const security = parseSecurityOptions(host.SecurityOpt ?? [])
  const capabilities = containerCapabilities(container)
  const joined = joinedNamespaces(engine, container)
  checkRemap(engine, host)
  await using undo = new AsyncDisposableStack()
  using namespaces = startNamespaces(engine, container, joined)

  const root = await engine.overlay.mount(container.id, { volatile: host.AutoRemove, mapped: isRemapped(engine, host) })
  undo.defer(() => engine.overlay.unmount(container.id))
  undo.defer(() => removeRunDirectory(paths))
  mkdirSync(paths.run, { recursive: true, mode: 0o700 })
  const sandbox = await openSandbox(engine, container, undo, namespaces.network)
  const hostname = ownHostname(container, joined)
  const files = joined.network === undefined ? paths : engine.paths.container(joined.network.donor.id)
  if (joined.network === undefined) writeNetworkFiles(engine, container, paths, hostname, sandbox)
  asContainerRoot(engine, host, () => makeWorkingDirectory(root, config.WorkingDir))
  for (const name of volumeNames(container)) {
    await engine.volumes.use(name, container.id)
    undo.defer(() => engine.volumes.release(name, container.id))
  }
  await mountImages(engine, container.record, undo)
  const sources = prepareMounts(engine, container, paths)
  if (host.IpcMode === 'shareable') mountSharedMemory(paths, host.ShmSize, rootIds(engine, host))

  const plain = containerSpec({
    container,
    root,
    user: user(root, config.User, host.GroupAdd ?? []),
    security,
    capabilities,
    rlimits: containerRlimits(engine.options, host).rlimits,
    cgroupsPath: cgroupPath(engine.options, container),
    hostname,
    links: linkEnvironment(engine, container),
    userNamespace: namespaces.user,
    namespaces: {
      ...(joined.network !== undefined ? { network: joined.network.path } : host.NetworkMode !== 'host' ? { network: sandbox.key } : {}),
      ...(joined.pid === undefined ? {} : { pid: joined.pid }),
      ...(joined.ipc === undefined ? {} : { ipc: joined.ipc }),
    },
    mounts: {
      sources,
      files: { hosts: files.hosts, hostname: files.hostname, resolvConf: files.resolvConf },
      ...(host.IpcMode === 'shareable' ? { shmPath: paths.shm } : joined.shmPath === undefined ? {} : { shmPath: joined.shmPath }),
      ...(host.Init === true ? { init: findInit() } : {}),
    },
  })
  const spec = await injectCdi(plain, host.DeviceRequests ?? [], engine.options.cdiSpecDirs ?? defaultCdiSpecDirs)
  const profile = seccompProfile(security, capabilities, host.Privileged)
  const runtime = externalRuntime(engine.options, host.Runtime)
  if (runtime !== undefined && engine.remap !== undefined && namespaces.user !== undefined) openWayTo(root, engine.paths, engine.remap)
  // Also for another runtime: a shim from before knows of none, and must not make a container without a filter.
  const filter = { ...(await seccompFilter(profile, engine.paths.seccomp)), ...(runtime === undefined ? {} : { runtime }) }
  undo.defer(() => removeCgroup(spec.linux.cgroupsPath))
  createCgroup(spec.linux.cgroupsPath, spec.linux.resources)

  await initializeLog(engine, container, paths)
  undo.defer(() => engine.pump.close(container.id))
  const starting = engine.shim.start({
    container: container.id,
    runDirectory: paths.run,
    directory: paths.directory,
    stdin: config.OpenStdin,
    spec: runtime === undefined || profile === undefined ? spec : { ...spec, linux: { ...spec.linux, seccomp: profile } },
    ...filter,
    ...(engine.ledger.off ? { silent: true } : {}),
  })
  // For the next container, while the kernel is at work on this one.
  if (wantsSpare(engine, container)) engine.spareNamespace.prepare()
  const started = await starting
  undo.move()
  return { started, sandbox }
}

function user(root: string, spec: string, groups: readonly string[]): ReturnType<typeof resolveUser> {
  using directory = openRoot(root)
  return resolveUser(directory.fd, spec, groups)
}

/** Another container's name in that one's network, else the container's own. */
function ownHostname(container: Container, joined: JoinedNamespaces): string {
  return (joined.network?.donor ?? container).record.config.Hostname
}
