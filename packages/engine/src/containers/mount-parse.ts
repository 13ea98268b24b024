import { normalize } from 'node:path'
import { EngineError } from '@engine/linux'
import type { Mount } from '../types/container-config.ts'
import type { MountPoint } from '../types/container-views.ts'
import { cleanPath } from './config.ts'
import type { ImageMount } from './image-mounts.ts'

/** A mount of a container: what inspect shows of it, and what is needed to make it. */
export interface ContainerMount {
  readonly point: MountPoint
  /** The propagation is the engine's choice: where the host's mount does not allow it, it is private. */
  readonly propagationUnasked?: boolean
  /** A bind that goes to this mount only, not to those below it. */
  readonly nonRecursive?: boolean
  /** A read-only bind whose mounts below it stay as they are. */
  readonly readOnlyNonRecursive?: boolean
  /** A read-only bind that fails when the mounts below it cannot be made read-only too. */
  readonly readOnlyForceRecursive?: boolean
  /** Make the source as a directory when it is missing. */
  readonly createSource?: boolean
  /** Leave a new volume empty where others take over the image's files. */
  readonly noCopy?: boolean
  /** Directory inside the volume; resolved in it by descriptor. */
  readonly subpath?: string
  /** For an image: which, and where its files come to be. Known once the container is made. */
  readonly image?: ImageMount
  /** For a tmpfs: mount options such as `size=1048576`. */
  readonly tmpfs?: readonly string[]
  /** For a volume that does not exist yet. */
  readonly volume?: { readonly labels: Readonly<Record<string, string>>; readonly options: Readonly<Record<string, string>> }
}

const invalid = (message: string): EngineError => new EngineError('invalid-argument', message)

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']

interface BindMode {
  readonly readOnly: boolean
  readonly propagation: string
  readonly noCopy: boolean
}

/** Reads `ro,z,rslave,nocopy`: at most one word of each kind. undefined when it is none. */
function parseBindMode(mode: string): BindMode | undefined {
  const kinds: readonly (readonly string[])[] = [['ro', 'rw'], ['z', 'Z'], propagations, ['nocopy'], ['consistent', 'cached', 'delegated']]
  const seen = kinds.map(() => '')
  for (const word of mode === '' ? [] : mode.split(',')) {
    const kind = kinds.findIndex((words) => words.includes(word))
    if (kind < 0 || seen[kind] !== '') return undefined
    seen[kind] = word
  }
  return { readOnly: seen[0] === 'ro', propagation: seen[2] ?? '', noCopy: seen[3] === 'nocopy' }
}

/**
 * Reads one of HostConfig.Binds: `/host:/path[:mode]`, `volume:/path[:mode]`, or `/path` for a volume without a name.
 * A volume's Source is filled in when the volume is made.
 * @param driver HostConfig.VolumeDriver
 * @throws EngineError invalid-argument in Docker's words
 */
export function parseBind(bind: string, driver: string): ContainerMount {
  const parts = bind.split(':')
  const wrong = (reason?: string): EngineError => invalid(`invalid volume specification: '${bind}'${reason === undefined ? '' : `: ${reason}`}`)
  if (parts[0] === '' || parts.length > 3) throw wrong()
  let [source = '', destination = '', modeText = ''] = parts
  if (parts.length === 1 || (parts.length === 2 && destination !== '' && parseBindMode(destination) !== undefined)) {
    modeText = destination
    destination = source
    source = ''
  }
  const mode = parseBindMode(modeText)
  if (mode === undefined) throw invalid(`invalid mode: ${modeText}`)
  if (destination === '') throw wrong()
  const type = source.startsWith('/') ? 'bind' : 'volume'
  const refuse = (reason: string): EngineError => wrong(`invalid mount config for type ${JSON.stringify(type)}: ${reason}`)
  if (!destination.startsWith('/')) throw refuse(`invalid mount path: '${destination}' mount path must be absolute`)
  const target = cleanPath(destination)
  if (target === '/') throw refuse("invalid specification: destination can't be '/'")
  if (type === 'bind') {
    return {
      point: { Type: 'bind', Source: cleanPath(source), Destination: target, Mode: modeText, RW: !mode.readOnly, Propagation: mode.propagation || 'rprivate' },
      createSource: true,
    }
  }
  // Docker labels volumes for SELinux unless told otherwise, and shows it.
  const shown = modeText === '' ? 'z' : modeText
  return {
    point: { Type: 'volume', Name: source, Source: '', Destination: target, Driver: driver || 'local', Mode: shown, RW: !mode.readOnly, Propagation: '' },
    ...(mode.noCopy ? { noCopy: true } : {}),
  }
}

/**
 * Reads one of HostConfig.Mounts.
 * @throws EngineError invalid-argument in Docker's words; not-implemented for types of other issues
 */
export function parseMount(mount: Mount): ContainerMount {
  const type = mount.Type ?? ''
  const refuse = (reason: string): EngineError => invalid(`invalid mount config for type ${JSON.stringify(type)}: ${reason}`)
  if (mount.Target === '' || typeof mount.Target !== 'string') throw refuse('field Target must not be empty')
  const target = cleanPath(mount.Target)
  if (mount.Target.startsWith('/') && target === '/') throw refuse("invalid specification: destination can't be '/'")
  refuseForeignOptions(type, mount, refuse)
  switch (type) {
    case 'bind':
      return bindMount(mount, target, refuse)
    case 'volume':
      return volumeMount(mount, target, refuse)
    case 'tmpfs':
      return tmpfsMount(mount, target, refuse)
    case 'image':
      return imageMount(mount, target, refuse)
    default:
      throw refuse('mount type unknown')
  }
}

function refuseForeignOptions(type: string, mount: Mount, refuse: (reason: string) => EngineError): void {
  for (const [field, owner] of [['BindOptions', 'bind'], ['VolumeOptions', 'volume'], ['ImageOptions', 'image'], ['TmpfsOptions', 'tmpfs']] as const) {
    if (owner !== type && mount[field] !== null && mount[field] !== undefined) throw refuse(`field ${field} must not be specified`)
  }
}

function requireAbsolute(target: string, refuse: (reason: string) => EngineError): void {
  if (!target.startsWith('/')) throw refuse(`invalid mount path: '${target}' mount path must be absolute`)
}

function bindMount(mount: Mount, target: string, refuse: (reason: string) => EngineError): ContainerMount {
  const options = mount.BindOptions ?? {}
  const propagation = options.Propagation || 'rprivate'
  if (!propagations.includes(propagation)) throw refuse(`invalid propagation mode: ${propagation}`)
  if (!mount.Source) throw refuse('field Source must not be empty')
  requireAbsolute(mount.Source, refuse)
  requireAbsolute(mount.Target as string, refuse)
  if (options.ReadOnlyForceRecursive) {
    if (propagation !== 'rprivate') throw refuse('ReadOnlyForceRecursive requires Propagation to be rprivate')
  }
  return {
    point: { Type: 'bind', Source: cleanPath(mount.Source), Destination: target, Mode: '', RW: !mount.ReadOnly, Propagation: propagation },
    ...(options.NonRecursive ? { nonRecursive: true } : {}),
    ...(options.ReadOnlyNonRecursive ? { readOnlyNonRecursive: true } : {}),
    ...(options.ReadOnlyForceRecursive ? { readOnlyForceRecursive: true } : {}),
    ...(options.CreateMountpoint ? { createSource: true } : {}),
  }
}

function volumeMount(mount: Mount, target: string, refuse: (reason: string) => EngineError): ContainerMount {
  const options = mount.VolumeOptions ?? {}
  requireAbsolute(mount.Target as string, refuse)
  if (options.Subpath) {
    if (!mount.Source) throw refuse('must not set Subpath when using anonymous volumes')
    refuseOutside(options.Subpath, refuse)
  }
  return {
    point: {
      Type: 'volume', Name: mount.Source ?? '', Source: '', Destination: target,
      Driver: options.DriverConfig?.Name || 'local', Mode: 'z', RW: !mount.ReadOnly, Propagation: '',
    },
    ...(options.NoCopy ? { noCopy: true } : {}),
    ...(options.Subpath ? { subpath: options.Subpath } : {}),
    volume: { labels: options.Labels ?? {}, options: options.DriverConfig?.Options ?? {} },
  }
}

function refuseOutside(subpath: string, refuse: (reason: string) => EngineError): void {
  // As Go's filepath.IsLocal: by its text, not by what is there.
  if (subpath.startsWith('/') || /^\.\.(\/|$)/.test(normalize(subpath))) throw refuse('subpath must be a relative path within the volume')
}

function imageMount(mount: Mount, target: string, refuse: (reason: string) => EngineError): ContainerMount {
  const subpath = mount.ImageOptions?.Subpath
  if (!mount.Source) throw refuse('field Source must not be empty')
  requireAbsolute(mount.Target as string, refuse)
  if (subpath) refuseOutside(subpath, refuse)
  return {
    point: { Type: 'image', Name: mount.Source, Source: '', Destination: target, Mode: '', RW: false, Propagation: 'rprivate' },
    ...(subpath ? { subpath } : {}),
  }
}

function tmpfsMount(mount: Mount, target: string, refuse: (reason: string) => EngineError): ContainerMount {
  if (mount.Source) throw refuse('field Source must not be specified')
  requireAbsolute(mount.Target as string, refuse)
  const options = mount.TmpfsOptions ?? {}
  const words = ['nosuid', 'nodev', 'noexec']
  for (const [name = '', value] of options.Options ?? []) {
    if (value !== undefined || (name !== 'exec' && name !== 'noexec')) throw refuse(`invalid option: ${name}`)
    if (name === 'exec') words.splice(words.indexOf('noexec'), 1)
  }
  if (options.SizeBytes) words.push(`size=${options.SizeBytes}`)
  if (options.Mode) words.push(`mode=${options.Mode.toString(8)}`)
  if (mount.ReadOnly) words.push('ro')
  return { point: { Type: 'tmpfs', Source: '', Destination: target, Mode: '', RW: !mount.ReadOnly, Propagation: '' }, tmpfs: words }
}

const tmpfsFlags = new Set([
  'ro', 'rw', 'suid', 'nosuid', 'dev', 'nodev', 'exec', 'noexec', 'sync', 'async', 'dirsync', 'remount', 'mand', 'nomand', 'atime', 'noatime',
  'diratime', 'nodiratime', 'bind', 'rbind', 'relatime', 'norelatime', 'strictatime', 'nostrictatime', ...propagations, 'unbindable', 'runbindable',
])
const tmpfsData = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol'])

/**
 * The mount options of one of HostConfig.Tmpfs (`--tmpfs /run:size=64k,exec`), with Docker's defaults before them.
 * @throws EngineError in Docker's words
 */
export function tmpfsOptions(given: string): string[] {
  const words = given === '' ? [] : given.split(',')
  for (const word of words) {
    const [name = '', value] = word.split('=', 2)
    if (value === undefined ? !tmpfsFlags.has(name) : !tmpfsData.has(name)) throw new EngineError('invalid-argument', `invalid tmpfs option ${JSON.stringify(word)}`)
  }
  // A later word takes back an earlier one: `exec` the default `noexec`.
  const opposite = (word: string): string => (word.startsWith('no') ? word.slice(2) : `no${word}`)
  return [...['noexec', 'nosuid', 'nodev'].filter((word) => !words.includes(opposite(word)) && !words.includes(word)), ...words]
}
