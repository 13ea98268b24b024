import { statSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import type { ContainerConfigView, HostConfigView } from '../types/container-config.ts'
import { cleanPath } from './config.ts'
import type { ContainerRegistry } from './registry.ts'
import { parseBind, parseMount, type ContainerMount } from './mount-parse.ts'

/**
 * Every mount that a container asks for, in Docker's order: those of other containers, binds, mounts, and volumes of the image
 * where nothing else is. Volumes are named or to be named, not yet made.
 * @param readOnlyNonRecursive whether read-only binds leave the mounts below them writable
 * @throws EngineError invalid-argument in Docker's words: `Duplicate mount point`, a source that is missing, …
 */
export function registerMounts(containers: ContainerRegistry, host: HostConfigView, config: Pick<ContainerConfigView, 'Volumes'>, dataRoot: string, readOnlyNonRecursive = false): ContainerMount[] {
  const inherited = (host.VolumesFrom ?? []).flatMap((from) => mountsFrom(containers, from))
  const registered = new Map<string, ContainerMount>(inherited.map((mount) => [mount.point.Destination, mount]))
  const asked = new Set(Object.keys(host.Tmpfs ?? {}).map(tmpfsPath))
  const add = (mount: ContainerMount): void => {
    const path = mount.point.Destination
    if (asked.has(path)) throw new EngineError('invalid-argument', `Duplicate mount point: ${path}`)
    asked.add(path)
    const { Type, RW } = mount.point
    registered.set(path, readOnlyNonRecursive && Type === 'bind' && !RW ? { ...mount, readOnlyNonRecursive } : mount)
  }
  for (const bind of host.Binds ?? []) {
    const mount = parseBind(bind, host.VolumeDriver)
    add(spreading(mount, dataRoot, propagationOf(mount)))
  }
  for (const given of host.Mounts ?? []) {
    const mount = spreading(parseMount(given), dataRoot, given.BindOptions?.Propagation ?? '')
    refuseMissingSource(mount)
    add(mount)
  }
  for (const path of Object.keys(config.Volumes ?? {})) {
    // `VOLUME data` of a Dockerfile: Docker takes it, and runc begins at the root.
    const destination = cleanPath(`/${path}`)
    if (destination === '/') throw new EngineError('invalid-argument', "invalid specification: destination can't be '/'")
    if (registered.has(destination) || asked.has(destination)) continue
    registered.set(destination, { point: { Type: 'volume', Name: '', Source: '', Destination: destination, Driver: host.VolumeDriver || 'local', Mode: '', RW: true, Propagation: '' } })
  }
  return [...registered.values()]
}

function tmpfsPath(path: string): string {
  if (!path.startsWith('/')) throw new EngineError('invalid-argument', `invalid mount path: '${path}' mount path must be absolute`)
  const destination = cleanPath(path)
  if (destination === '/') throw new EngineError('invalid-argument', "invalid specification: destination can't be '/'")
  return destination
}

/**
 * A bind of a directory that holds our own data root, or lies in it, would carry mounts of ours into the container and keep them busy
 * there: like Docker, let unmounting on the host reach it.
 * @param asked the propagation that the client wants; '' when it has said nothing
 * @throws EngineError invalid-argument for one by which unmounting would not reach it (moby: validateBindDaemonRoot)
 */
function spreading(mount: ContainerMount, dataRoot: string, asked: string): ContainerMount {
  const { point } = mount
  const within = (path: string, directory: string): boolean => directory === '/' || path === directory || path.startsWith(`${directory}/`)
  if (point.Type !== 'bind' || !(within(dataRoot, point.Source) || within(point.Source, dataRoot))) return mount
  if (asked === '') return { ...mount, propagationUnasked: true, point: { ...point, Propagation: 'rslave' } }
  if (asked === 'rslave' || asked === 'rshared') return mount
  throw new EngineError('invalid-argument', `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: ${JSON.stringify(dataRoot)}, bind mount source: ${JSON.stringify(point.Source)}, propagation: ${JSON.stringify(asked)}`)
}

/** The propagation among a bind's modes. */
function propagationOf({ point }: ContainerMount): string {
  return /\b(r?private|r?slave|r?shared)\b/.exec(point.Mode)?.[0] ?? ''
}

function refuseMissingSource({ point, createSource }: ContainerMount): void {
  if (point.Type !== 'bind' || createSource === true || statSync(point.Source, { throwIfNoEntry: false }) !== undefined) return
  throw new EngineError('invalid-argument', `invalid mount config for type "bind": bind source path does not exist: ${point.Source}`)
}

/** `name`, `name:ro` or `name:rw`. */
function mountsFrom(containers: ContainerRegistry, from: string): ContainerMount[] {
  const colon = from.indexOf(':')
  const ref = colon < 0 ? from : from.slice(0, colon)
  const mode = colon < 0 ? '' : from.slice(colon + 1)
  if (ref === '') throw new EngineError('invalid-argument', 'volumes-from specification cannot be an empty string')
  if (!['', 'ro', 'rw', 'z', 'Z'].includes(mode)) throw new EngineError('invalid-argument', `invalid mode: ${mode}`)
  let source
  try {
    source = containers.find(ref)
  } catch (cause) {
    throw new EngineError('invalid-argument', cause instanceof Error ? cause.message : String(cause), { cause })
  }
  // What they begin with is the other container's business.
  return source.record.mounts.map((mount) => ({ ...mount, noCopy: true, point: { ...mount.point, Mode: '', RW: mount.point.RW && mode !== 'ro' } }))
}
