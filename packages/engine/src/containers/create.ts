import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { hostPlatform, type Platform } from '@engine/image'
import { EngineError, summarized } from '@engine/linux'
import { defaultMaskedPaths, defaultReadonlyPaths } from '@engine/runtime'
import { now, rfc3339 } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import type { CreateContainer } from '../interface.ts'
import { checkHealthConfig } from '../health/health.ts'
import { withContainer } from '../ledger/cause.ts'
import { resolveLinks } from './links.ts'
import { checkLogging } from '../logs/index.ts'
import { transaction } from '../state/database.ts'
import { kernelLimits } from '../system/limits.ts'
import type { ContainerConfig, HostConfigView } from '../types/container-config.ts'
import { layerPlace } from '../quotas/layer-place.ts'
import { checkRemap } from '../userns/container-ids.ts'
import { commandLine, mergeConfig } from './config.ts'
import { Container, noSandbox, type ContainerRecord } from './container.ts'
import { endpointRequests } from './endpoint-requests.ts'
import { isContainerMode, checkHostConfig } from './host-config-check.ts'
import { completeHostConfig } from './host-config.ts'
import { ignoredFields } from './ignored-fields.ts'
import { firewallWarnings } from './firewall-warnings.ts'
import { unexposedBindings } from './port-bindings.ts'
import { claimedVolumes, makeVolumes, nameVolumes, volumesToMake } from './make-volumes.ts'
import { generateName } from './name-generator.ts'
import { isRuntime } from './runtimes.ts'
import { prepareImageMounts, resolveImageMounts } from './image-mounts.ts'
import { registerMounts } from './register-mounts.ts'
import { rlimitWarnings } from './spec/rlimits.ts'
import { wantsSpare } from './sandbox.ts'
import { parseSecurityOptions } from './spec/security-options.ts'
import { createdState } from './state.ts'
import { checkStorageOptions } from './storage-options.ts'

/**
 * Makes a container of an image, without starting it: its directories, its volumes, its row.
 * What fails leaves nothing behind.
 * @throws EngineError not-found `No such image: x`, conflict for a name in use, invalid-argument and not-implemented for settings
 */
export async function createContainer(engine: EngineContext, request: CreateContainer): Promise<{ Id: string; Warnings: string[] }> {
  if (Object.keys(request.config).length === 0) throw new EngineError('invalid-argument', 'config cannot be empty in order to create a container')
  const id = request.id ?? randomBytes(32).toString('hex')
  const host = completeHostConfig(request.hostConfig, {
    shmSize: engine.options.defaultShmSize,
    maskedPaths: defaultMaskedPaths(),
    readonlyPaths: defaultReadonlyPaths,
    runtimes: (name) => isRuntime(engine.options, name),
    ...(engine.options.defaultRuntime === undefined ? {} : { runtime: engine.options.defaultRuntime }),
    log: engine.options.logDefault,
  })
  const warnings = checkHostConfig(host, request.config, kernelLimits())
  checkRemap(engine, host)
  checkHealthConfig(request.config.Healthcheck)
  const security = parseSecurityOptions(host.SecurityOpt ?? [])
  checkLogging(host.LogConfig)
  resolveContainerModes(engine, host)
  // In a network of the user's own a link is an alias there, and is resolved by name.
  if (['bridge', 'host', 'none'].includes(host.NetworkMode) || host.NetworkMode.startsWith('container:')) resolveLinks(engine.containers, host)
  if (!request.config.Image) {
    throw new EngineError('invalid-argument', (request.config.Cmd?.length ?? 0) + (request.config.Entrypoint?.length ?? 0) === 0 ? 'no command specified' : 'no image specified')
  }
  const image = engine.images.forContainer(request.config.Image, request.platform)
  if (!request.platform) warnings.push(...foreignPlatform(image.platform))
  const merged = mergeConfig(ownHostname(request.config, host), image.config, id)
  // What a step writes where the image has a volume belongs to the layer, as with BuildKit.
  const config = request.buildStep === undefined ? merged : { ...merged, Volumes: null }
  for (const port of unexposedBindings({ config, hostConfig: host })) warnings.push(`port ${port} is not in ExposedPorts: it is not published`)
  warnings.push(...ignoredFields(host, security), ...rlimitWarnings(engine.options, host))
  const { path, args } = commandLine(config)
  const at = now()
  const record: ContainerRecord = {
    id,
    name: reserveName(engine, request.name, id),
    createdAt: rfc3339(at),
    createdNs: at,
    imageId: image.id,
    path,
    args,
    config,
    hostConfig: host,
    mounts: [],
    endpoints: {},
    layers: image.layers,
  }
  warnings.push(...firewallWarnings(engine, record))
  try {
    // As late as with Docker: an image that is missing is pulled by the docker command, and only then is this said.
    checkStorageOptions(host.StorageOpt ?? {}, () => engine.quotas.supports(engine.overlay.root))
    const endpoints = endpointRequests(engine.networks, host, request.endpoints, config.MacAddress ?? '')
    const mounts = resolveImageMounts(engine, id, registerMounts(engine.containers, host, config, engine.options.dataRoot, request.readOnlyNonRecursive))
    if (mounts.some(({ image: mounted }) => mounted !== undefined)) warnings.push('Image mount is an experimental feature')
    await withContainer(id, () => make(engine, { ...record, endpoints, mounts }))
  } catch (error) {
    engine.containers.release(record.name, id)
    throw error
  }
  if (request.buildStep !== undefined) engine.containers.find(id).secretEnvironment = request.buildStep.secretEnvironment
  return { Id: id, Warnings: warnings }
}

async function make(engine: EngineContext, record: ContainerRecord): Promise<void> {
  const { id } = record
  const { directory } = engine.paths.container(id)
  const names = nameVolumes(record)
  using _claim = engine.containers.claimVolumes(id, claimedVolumes(record, names))
  const intent = engine.intents.begin('container create', id, { volumes: volumesToMake(engine, record, names) })
  await using undo = new AsyncDisposableStack()
  undo.defer(() => engine.intents.end(intent))
  undo.defer(() => engine.overlay.remove(id))
  undo.defer(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(directory, { mode: 0o710 })
  summarized('prepare layers', { directory: join(engine.overlay.root, id), lowers: record.layers.length }, () => engine.overlay.prepare(id, record.layers))
  const size = checkStorageOptions(record.hostConfig.StorageOpt ?? {}, () => true)
  if (size > 0) {
    engine.quotas.hold({ container: id }, layerPlace(engine.overlay, id), size)
    undo.defer(() => engine.quotas.release({ container: id }, engine.overlay.root))
  }
  prepareImageMounts(engine, record, undo)
  const volumes = await makeVolumes(engine, record, names)
  undo.defer(volumes.undo)
  const container = new Container({ ...record, mounts: volumes.mounts }, createdState(), noSandbox)
  try {
    transaction(engine.db, () => {
      engine.containers.insert(container)
      engine.intents.end(intent)
    })
  } catch (error) {
    engine.containers.forget(container)
    throw error
  }
  undo.move()
  engine.ledger.name(id, record.name, record.createdNs)
  engine.events.publish('container', 'create', id, container.attributes())
  // The client asks for its start next.
  if (wantsSpare(engine, container)) engine.spareNamespace.prepare()
}

/** A container in the host's network has the host's name, unless it was given one. */
function ownHostname(config: ContainerConfig, host: HostConfigView): ContainerConfig {
  return config.Hostname || host.NetworkMode !== 'host' ? config : { ...config, Hostname: hostname() }
}

/** Docker's warning about an image of another machine's, which only runs where the kernel knows an emulator (binfmt_misc). */
function foreignPlatform({ os, architecture }: Platform): string[] {
  const host = hostPlatform()
  if (os === host.os && architecture === host.architecture) return []
  return [`The requested image's platform (${os}/${architecture}) does not match the detected host platform (${host.os}/${host.architecture}) and no specific platform was requested`]
}

/** Docker's rule for names; the one in its message has no repetition sign. */
export function checkName(given: string, shown = given): string {
  const name = given.startsWith('/') ? given.slice(1) : given
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw new EngineError('invalid-argument', `Invalid container name (${shown}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`)
  }
  return name
}

function reserveName(engine: EngineContext, given: string | undefined, id: string): string {
  const name = given ? checkName(given) : generateName((candidate) => engine.containers.isNameTaken(candidate))
  engine.containers.reserve(name, id)
  return name
}

/** Another container's namespaces are named by its full id from now on, whatever it will be called. */
function resolveContainerModes(engine: EngineContext, host: HostConfigView): void {
  for (const field of ['PidMode', 'IpcMode'] as const) {
    if (!isContainerMode(host[field])) continue
    const ref = host[field].slice('container:'.length)
    try {
      host[field] = `container:${engine.containers.find(ref).id}`
    } catch (cause) {
      throw new EngineError('invalid-argument', cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }
  if (!isContainerMode(host.NetworkMode)) return
  try {
    host.NetworkMode = `container:${engine.containers.find(host.NetworkMode.slice('container:'.length)).id}`
  } catch {
    // Docker finds out when the container starts: the other one may come to be until then.
  }
}
