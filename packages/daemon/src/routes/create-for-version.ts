import { isAtLeast, RequestError, type ContainerConfig, type EndpointSettings, type HostConfig } from '@engine/api'
import { withEndpointMac, withEndpointSysctls } from './create-migrations.ts'

/** A container as a client wants it made. */
export interface Wanted {
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  readonly endpoints: Readonly<Record<string, EndpointSettings>>
  readonly platform: string | undefined
}

/** What becomes of it. */
export interface Shaped extends Wanted {
  /** Read-only binds leave the mounts below them writable, as they did before 1.44. */
  readonly readOnlyNonRecursive: boolean
  readonly warnings: readonly string[]
}

type Mount = NonNullable<NonNullable<HostConfig['Mounts']>[number]>

/**
 * Takes from a request what its API version did not know, and gives it the defaults of that version
 * (moby: api/server/router/container/container_routes.go, postContainersCreate; recorded in test/parity/versions).
 * @throws RequestError 400 for what needs a newer version
 */
export function createForVersion(version: string, wanted: Wanted): Shaped {
  const before = (other: string): boolean => !isAtLeast(version, other)
  let { config, endpoints, platform } = wanted
  const host: { -readonly [K in keyof HostConfig]: HostConfig[K] } = { ...wanted.hostConfig }

  if (before('1.25')) host.AutoRemove = false
  if (before('1.40')) {
    host.KernelMemoryTCP = undefined
    if (!host.IpcMode) host.IpcMode = 'shareable'
  }
  if (before('1.41')) {
    platform = undefined
    if (!host.CgroupnsMode) host.CgroupnsMode = 'host'
  }
  if (before('1.42')) host.ConsoleSize = [0, 0]
  else delete host.KernelMemory
  if (before('1.43')) host.Annotations = undefined
  if (before('1.44')) {
    if (config.Healthcheck) config = { ...config, Healthcheck: { ...config.Healthcheck, StartInterval: undefined } }
    const names = Object.keys(endpoints)
    if (names.length > 1) throw new RequestError(`Container cannot be created with multiple network endpoints: ${names.join(', ')}`)
  }
  if (before('1.48')) {
    endpoints = Object.fromEntries(Object.entries(endpoints).map(([name, endpoint]) => [name, { ...endpoint, GwPriority: undefined }]))
  }
  if (host.Mounts) host.Mounts = host.Mounts.map((mount) => mountForVersion(mount, before))
  // Both 0 and -1 say that there is no limit.
  if (typeof host.PidsLimit === 'number' && host.PidsLimit <= 0) host.PidsLimit = undefined
  const warnings: string[] = []
  const shaped = withEndpointSysctls(withEndpointMac({ config, hostConfig: host, endpoints, platform }, before, warnings), before, warnings)
  return { ...shaped, readOnlyNonRecursive: before('1.44'), warnings }
}

const owners = [
  ['BindOptions', 'bind'],
  ['VolumeOptions', 'volume'],
  ['ImageOptions', 'image'],
  ['TmpfsOptions', 'tmpfs'],
] as const

function mountForVersion(given: Mount, before: (version: string) => boolean): Mount {
  const mount = { ...given }
  for (const [field, type] of owners) {
    if (!mount[field] || mount.Type === type) continue
    if (!before('1.42')) throw new RequestError(`${field} must not be specified on mount type ${JSON.stringify(mount.Type ?? '')}`)
    // Those of binds were looked at already.
    if (field === 'VolumeOptions' || field === 'TmpfsOptions') mount[field] = undefined
  }
  if (mount.BindOptions) {
    const bind = { ...mount.BindOptions }
    if (before('1.40')) delete bind.NonRecursive
    if (before('1.42')) delete bind.CreateMountpoint
    if (before('1.44') && bind.ReadOnlyForceRecursive) throw new RequestError('BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer')
    // Docker sets what it does for all (readOnlyNonRecursive) where there are options to set it in.
    if (before('1.44') && mount.Type === 'bind' && mount.ReadOnly === true) bind.ReadOnlyNonRecursive = true
    mount.BindOptions = bind
  }
  if (before('1.45') && mount.VolumeOptions?.Subpath) throw new RequestError('VolumeOptions.Subpath needs API v1.45 or newer')
  if (before('1.48') && mount.Type === 'image') throw new RequestError('Mount type "Image" needs API v1.48 or newer')
  return mount
}
