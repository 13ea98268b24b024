import { randomUUID } from 'node:crypto'
import { ContentStore, defaultLimits, defaultRegistryOptions, FileWorkers, OverlayStore } from '@engine/image'
import { FirewallWatch, NameServer, ResolvConfWatch, SpareNamespace } from '@engine/network'
import { connectShim, hasAppArmor, loadDefaultAppArmorProfile, type ShimClient } from '@engine/runtime'
import { Budgets } from './budgets.ts'
import { BuildCacheTable } from './builds/build-cache-table.ts'
import { buildVerb, buildVerbs, buildsDirectory, cacheMountsDirectory, cleanBuilds, contextsDirectory } from './builds/build.ts'
import { SharedCache } from './builds/shared-cache/shared-cache.ts'
import { UnsyncedLayers } from './builds/unsynced-layers.ts'
import { cacheImages } from './builds/cache-images.ts'
import { ContextStore } from './builds/contexts.ts'
import { InputStore } from './builds/inputs.ts'
import { CacheMounts } from './builds/mounts/cache-mounts.ts'
import { CacheMountsTable } from './builds/mounts/cache-mounts-table.ts'
import type { EngineContext } from './context.ts'
import { containerVerbs } from './containers/containers.ts'
import { followResolvConf } from './containers/follow-resolv-conf.ts'
import { whilePaused } from './containers/pause.ts'
import type { Container } from './containers/container.ts'
import { volumeNames } from './containers/prepare-mounts.ts'
import { isRunning } from './containers/state.ts'
import { ContainerRegistry } from './containers/registry.ts'
import { openDataRoot } from './data-root.ts'
import { EventFile } from './events/event-file.ts'
import { Events, remembered } from './events/events.ts'
import { execVerbs } from './execs/execs.ts'
import { ExecRegistry } from './execs/registry.ts'
import { ImageStore } from './images/image-store.ts'
import { imageVerbs } from './images/images.ts'
import { lookUpImage, type LookUpOptions } from './images/look-up.ts'
import { pullImage } from './images/pull.ts'
import { Registries } from './images/registries.ts'
import type { Engine, EngineOptions, Images } from './interface.ts'
import { causedBy } from './ledger/cause.ts'
import { Ledger } from './ledger/ledger.ts'
import { LogPump } from './logs/index.ts'
import { NetworkRegistry } from './networks/network-registry.ts'
import { createNetworks } from './networks/views.ts'
import { reconcile, startByPolicy } from './reconcile/reconcile.ts'
import { followShim } from './shim-events.ts'
import { shutDown } from './shutdown.ts'
import { ContainersTable } from './state/containers-table.ts'
import { openDatabase } from './state/database.ts'
import { HealthTable } from './state/health-table.ts'
import { Intents } from './state/intents.ts'
import { migrations } from './state/migrations/index.ts'
import { setting } from './state/settings.ts'
import type { DiskUsageParts } from './system/disk-usage.ts'
import { systemVerbs } from './system/system.ts'
import { ProjectQuotas } from './quotas/project-quotas.ts'
import { layerPlace } from './quotas/layer-place.ts'
import { mappedIds } from './userns/mapped-ids.ts'
import { resolveRemap } from './userns/remap.ts'
import { VolumeStore } from './volumes/volume-store.ts'
import { volumeVerbs } from './volumes/volumes.ts'
import { workerPrograms } from './worker-programs.ts'

/**
 * Threads for work on trees of files, and milliseconds that an idle one is kept. More than small machines have processors: they wait for
 * the disk, and a layer of many files is not to hold up the others.
 */
const workerThreads = 4
const workerKeep = 10_000
/** Threads for copies from and to containers, each of which may take as long as its client likes. */
const transferThreads = 16

/**
 * Opens an engine on its data: locks the data root, connects to the shim (or starts it), takes up what runs, settles what a crash
 * interrupted. What was begun is undone when a step fails.
 * @throws EngineError unavailable when another engine has the data root
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  await using undo = new AsyncDisposableStack()
  const programs = workerPrograms(options)
  const { paths, bootId } = undo.use(openDataRoot(options))
  const db = openDatabase(paths.database, migrations)
  undo.defer(() => void db.close())
  const ledger = new Ledger(paths.ledger, (error) => options.log('warn', { error: String(error) }, 'the ledger could not be written'), options.ledger === false)
  undo.defer(() => ledger.close())
  const limits = options.archiveLimits ?? defaultLimits
  const workers = new FileWorkers({ program: programs.files, threads: workerThreads, keep: workerKeep })
  undo.defer(() => workers.close())
  const transfers = new FileWorkers({ program: programs.files, threads: transferThreads, keep: workerKeep })
  undo.defer(() => transfers.close())
  const { usernsRemap = '' } = options
  const remap = typeof usernsRemap === 'string' ? resolveRemap(usernsRemap) : usernsRemap
  const ids = remap === undefined ? undefined : undo.use(mappedIds(remap))
  const quotas = new ProjectQuotas(db, options.log)
  const withRoom = (id: string, mount: () => void): void => quotas.withRoom({ container: id }, paths.overlay, mount)
  const overlay = await OverlayStore.open({ root: paths.overlay, workers, limits, ids, withRoom, onTrashError: (path, error) => options.log('warn', { path, error: String(error) }, 'a directory could not be deleted') })
  const content = new ContentStore(paths.content)
  await content.clean()
  const events = new Events(undo.use(new EventFile(paths.events, remembered, (error) => options.log('warn', { error: String(error) }, 'events could not be kept'))))
  const containers = new ContainerRegistry(new ContainersTable(db))
  const images = new ImageStore({ db, content, overlay, containers, events, log: options.log })
  const volumes = new VolumeStore({ db, root: paths.volumes, workers, events, quotas, log: options.log })
  const id = setting(db, 'id', randomUUID)
  const networks = undo.use(new NetworkRegistry(db, options, id))
  undo.use(networks.ports)
  for (const warning of networks.ensure()) options.log('warn', {}, warning)
  networks.ports.openRelay(programs.relay)
  undo.use(new FirewallWatch(networks.firewall, (error) => {
    if (error === undefined) options.log('warn', {}, 'somebody flushed the firewall: the rules for containers were gone and are there again')
    else options.log('error', { error: String(error) }, 'somebody flushed the firewall: the rules for containers cannot be laid again')
  }))
  const names = undo.use(new NameServer({ program: programs.names, log: (level, message) => options.log(level, {}, message) }))
  const spareNamespace = undo.use(new SpareNamespace())
  const pump = new LogPump({ workerPath: programs.logs, log: options.log })
  undo.defer(() => pump.shutdown())
  const shim = await connectShim({
    nodeBinary: options.nodeBinary,
    program: options.shimProgram,
    socketPath: paths.shimSocket,
    managed: options.shimManaged,
    log: (message) => options.log('warn', {}, `shim: ${message}`),
  })
  undo.defer(() => shim.close())
  await upgradeShim(shim, options)

  const closing = new AbortController()
  const reconciled = Promise.withResolvers<void>()
  const context: EngineContext = {
    options, paths, bootId, id, db, ledger, events, containers, images, volumes, networks, names, spareNamespace, pump, shim, overlay, remap, quotas, transfers,
    intents: new Intents(db),
    execs: new ExecRegistry(db),
    health: new HealthTable(db),
    reconciled: reconciled.promise,
    closing: closing.signal,
  }
  followShim(context)
  const verbs = containerVerbs(context)
  const registries = new Registries(options.registries ?? defaultRegistryOptions)
  const imageParts = { store: images, containers, events, registries, transfers, limits, log: options.log, whilePaused: <T>(id: string, work: () => Promise<T>) => whilePaused(context, id, work) }
  const builder = {
    dataRoot: options.dataRoot, containers: verbs, images, overlay, remap, workers, cache: new BuildCacheTable(db), intents: context.intents,
    cacheMounts: new CacheMounts(cacheMountsDirectory(options.dataRoot), new CacheMountsTable(db), workers, remap),
    inputs: new InputStore(buildsDirectory(options.dataRoot), workers, limits),
    contexts: new ContextStore(contextsDirectory(options.dataRoot), workers),
    limits, built: { count: 0 },
    unsynced: new UnsyncedLayers({ db, intents: context.intents, overlay, images, workers: transfers, bootId, log: options.log }),
    sharedCache: new SharedCache(images, registries),
    pull: ((ref, how, signal) => pullImage(imageParts, ref, how, signal)) satisfies Images['pull'],
    lookUp: (name: string, how: LookUpOptions, signal: AbortSignal) => lookUpImage(imageParts, name, how, signal),
  }
  if (hasAppArmor()) await loadDefaultAppArmorProfile().catch((error: unknown) => options.log('warn', { error: String(error) }, 'containers that name no AppArmor profile are under none'))
  undo.defer(() => builder.unsynced.flush())
  await cleanBuilds(builder)
  await reconcile(context)
  volumes.reconcile(volumesInUse(containers.all()))
  quotas.reconcile((owner) => ('volume' in owner ? volumes.quotaPlace(owner.volume) : containers.get(owner.container) && layerPlace(overlay, owner.container)), [overlay.root, paths.volumes])
  await images.reconcile()
  reconciled.resolve()
  startByPolicy(context)
  undo.use(new ResolvConfWatch(options.resolvConf, () => followResolvConf(context)))

  const imagesOf = imageVerbs(imageParts, buildVerb(builder))
  const cache = cacheImages(imageParts)
  const builds = buildVerbs(builder, cache)
  const budgets = undo.use(new Budgets({ options, builder, cache, images: { verbs: imageParts, ofBuilds: () => builder.cache.images() } }))
  const volumesOf = volumeVerbs({ store: volumes, transfers, limits, owner: remap?.root ?? { uid: 0, gid: 0 }, ids: remap?.mappings, users: (name) => containers.usersOfVolume(name), publish: (reclaimed) => events.publish('volume', 'prune', '', { reclaimed: String(reclaimed) }) })
  const usage: DiskUsageParts = {
    containers: verbs, images: imagesOf, builds, volumes: volumesOf,
    budgets,
    layerBytes: () => images.layers.all().reduce((total, { size, blob }) => total + size + (blob?.size ?? 0), 0),
  }
  const parts = undo.move()
  return {
    containers: verbs,
    execs: execVerbs(context),
    images: imagesOf,
    builds,
    networks: createNetworks(context),
    volumes: volumesOf,
    system: systemVerbs(context, () => images.images.all().length, usage),
    causedBy,
    async close({ stopContainers }) {
      closing.abort()
      await using _parts = parts
      await shutDown(context, stopContainers)
    },
  }
}

/** Brings a shim that runs from before an installation to what is installed now: the same process, with the same children. */
async function upgradeShim(shim: ShimClient, { shimProgram, log }: EngineOptions): Promise<void> {
  if (!(await shim.outdated())) return
  try {
    await shim.upgrade(shimProgram)
    log('info', { program: shimProgram }, 'the shim was upgraded; its containers go on')
  } catch (error) {
    // It serves this engine as well.
    log('warn', { error: String(error) }, 'the shim could not be upgraded and goes on with the program that it has')
  }
}

/** What running containers have mounted. */
function volumesInUse(containers: readonly Container[]): (readonly [name: string, user: string])[] {
  return containers.filter(({ state }) => isRunning(state)).flatMap((container) => volumeNames(container).map((name) => [name, container.id] as const))
}
