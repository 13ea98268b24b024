import { resolve } from 'node:path'
import { readBoolean } from '../arguments/flag.ts'
import { cut, readCsv } from '../arguments/csv.ts'
import { readBytes } from '../arguments/sizes.ts'

/** One entry of HostConfig.Mounts; fields that are not set are left out, as docker leaves them out. */
export interface Mount {
  Type: string
  Source?: string
  Target?: string
  ReadOnly?: true
  Consistency?: string
  BindOptions?: { Propagation?: string; NonRecursive?: true; CreateMountpoint?: true; ReadOnlyNonRecursive?: true; ReadOnlyForceRecursive?: true }
  VolumeOptions?: { NoCopy?: true; Labels?: Record<string, string>; Subpath?: string; DriverConfig?: { Name?: string; Options?: Record<string, string> } }
  ImageOptions?: { Subpath?: string }
  TmpfsOptions?: { SizeBytes?: number; Mode?: number }
}

/** Reads one `--mount` (`type=bind,source=…,target=…,readonly`). @throws Error with docker's text */
export function readMount(given: string): Mount {
  const mount: Mount = { Type: 'volume' }
  for (const field of readCsv(given)) {
    const [key, value] = cut(field)
    setField(mount, key.toLowerCase(), value, field)
  }
  check(mount)
  return mount
}

function setField(mount: Mount, key: string, value: string | undefined, field: string): void {
  const bind = (): NonNullable<Mount['BindOptions']> => (mount.BindOptions ??= {})
  const volume = (): NonNullable<Mount['VolumeOptions']> => (mount.VolumeOptions ??= { DriverConfig: {} })
  const driver = (): { Name?: string; Options?: Record<string, string> } => (volume().DriverConfig ??= {})
  const tmpfs = (): NonNullable<Mount['TmpfsOptions']> => (mount.TmpfsOptions ??= {})
  const invalid = (): Error => new Error(`invalid value for ${key}: ${value}`)
  const wanted = (): boolean => {
    if (value === undefined) return true
    try {
      return readBoolean(value)
    } catch {
      throw invalid()
    }
  }
  if (value === undefined && !['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive', 'bind-create-src'].includes(key)) {
    throw new Error(`invalid field '${field}' must be a key=value pair`)
  }
  const text = value ?? ''
  switch (key) {
    case 'type': mount.Type = text.toLowerCase(); break
    case 'source': case 'src': mount.Source = text === '.' || text.startsWith('./') ? resolve(text) : text; break
    case 'target': case 'dst': case 'destination': mount.Target = text; break
    case 'readonly': case 'ro': if (wanted()) mount.ReadOnly = true; else delete mount.ReadOnly; break
    case 'consistency': mount.Consistency = text.toLowerCase(); break
    case 'bind-propagation': bind().Propagation = text.toLowerCase(); break
    case 'bind-nonrecursive': if (wanted()) bind().NonRecursive = true; else bind(); break
    case 'bind-create-src': if (wanted()) bind().CreateMountpoint = true; else bind(); break
    case 'bind-recursive': setRecursive(bind(), text); break
    case 'volume-subpath': volume().Subpath = text; break
    case 'volume-nocopy': if (wanted()) volume().NoCopy = true; else volume(); break
    case 'volume-label': put((volume().Labels ??= {}), text); break
    case 'volume-driver': driver().Name = text; break
    case 'volume-opt': put((driver().Options ??= {}), text); break
    case 'image-subpath': (mount.ImageOptions ??= {}).Subpath = text; break
    case 'tmpfs-size':
      try {
        tmpfs().SizeBytes = readBytes(text)
      } catch {
        throw invalid()
      }
      break
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(text)) throw invalid()
      tmpfs().Mode = Number.parseInt(text, 8)
      break
    default: throw new Error(`unexpected key '${key}' in '${field}'`)
  }
}

function setRecursive(options: NonNullable<Mount['BindOptions']>, value: string): void {
  switch (value) {
    case 'enabled': break
    case 'disabled': options.NonRecursive = true; break
    case 'writable': options.ReadOnlyNonRecursive = true; break
    case 'readonly': options.ReadOnlyForceRecursive = true; break
    default: throw new Error(`invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`)
  }
}

function put(map: Record<string, string>, pair: string): void {
  const [key, value] = cut(pair)
  if (key !== '') map[key] = value ?? ''
}

function check(mount: Mount): void {
  if (mount.Type === '') throw new Error('type is required')
  if (mount.Target === undefined || mount.Target === '') throw new Error('target is required')
  const mixed = (options: object | undefined, type: string): void => {
    if (options !== undefined && mount.Type !== type) throw new Error(`cannot mix '${type}-*' options with mount type '${mount.Type}'`)
  }
  mixed(mount.VolumeOptions, 'volume')
  mixed(mount.BindOptions, 'bind')
  mixed(mount.ImageOptions, 'image')
  mixed(mount.TmpfsOptions, 'tmpfs')
  const bind = mount.BindOptions
  if (bind?.ReadOnlyNonRecursive === true && mount.ReadOnly !== true) {
    throw new Error('option \'bind-recursive=writable\' requires \'readonly\' to be specified in conjunction')
  }
  if (bind?.ReadOnlyForceRecursive === true) {
    if (mount.ReadOnly !== true) throw new Error('option \'bind-recursive=readonly\' requires \'readonly\' to be specified in conjunction')
    if (bind.Propagation !== 'rprivate') throw new Error('option \'bind-recursive=readonly\' requires \'bind-propagation=rprivate\' to be specified in conjunction')
  }
}

/**
 * Parts `--volume`s into HostConfig.Binds (`source:target[:options]`, relative sources made absolute) and Config.Volumes (a target
 * alone: an anonymous volume).
 * @throws Error with docker's text
 */
export function readVolumes(given: readonly string[]): { binds: string[]; anonymous: Record<string, object> } {
  const binds: string[] = []
  const anonymous: Record<string, object> = {}
  for (const volume of given) {
    if (volume === '') throw new Error('invalid empty volume spec')
    const [source, rest] = cut(volume, ':')
    if (rest === undefined) {
      anonymous[volume] = {}
      continue
    }
    if (source === '') throw new Error(`invalid spec: ${volume}: empty section between colons`)
    const path = source === '.' || source.startsWith('./') ? resolve(source) : source
    binds.push(`${path}:${rest}`)
  }
  return { binds, anonymous }
}
