import { isAtLeast, RequestError, type ContainerConfig, type EndpointSettings, type HostConfig } from '@engine/api'

/** A container as a client wants it made. */
export interface Wanted {
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  readonly endpoints: Readonly<Record<string, EndpointSettings>>
  readonly platform: string | undefined
}

type Mount = NonNullable<NonNullable<HostConfig['Mounts']>[number]>

/**
 * Takes from a request what its API version did not know, and gives it the defaults of that version
 * (moby: api/server/router/container/container_routes.go, postContainersCreate).
 * @throws RequestError 400
 */
export function createForVersion(version: string, wanted: Wanted): Wanted {
  const before = (other: string): boolean => !isAtLeast(version, other)
  let { config, endpoints, platform } = wanted
  const host: { -readonly [K in keyof HostConfig]: HostConfig[K] } = { ...wanted.hostConfig }

  if (before('1.25')) host.AutoRemove = false
  if (before('1.40') && !host.IpcMode) host.IpcMode = 'shareable'
  if (before('1.41')) {
    platform = undefined
    if (!host.CgroupnsMode) host.CgroupnsMode = 'host'
  }
  if (before('1.42')) host.ConsoleSize = [0, 0]
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
  return { config, hostConfig: host, endpoints, platform }
}

function mountForVersion(given: Mount, before: (version: string) => boolean): Mount {
  const mount = { ...given }
  const foreign = [
    ['BindOptions', 'bind'],
    ['VolumeOptions', 'volume'],
    ['TmpfsOptions', 'tmpfs'],
  ] as const
  for (const [field, type] of foreign) {
    if (!mount[field] || mount.Type === type) continue
    if (!before('1.42')) throw new RequestError(`${field} must not be specified on mount type ${JSON.stringify(mount.Type ?? '')}`)
    mount[field] = undefined
  }
  if (mount.BindOptions) {
    const bind = { ...mount.BindOptions }
    if (before('1.40')) bind.NonRecursive = false
    if (before('1.42')) bind.CreateMountpoint = false
    mount.BindOptions = bind
  }
  // Read-only bind mounts became recursively so with 1.44.
  if (before('1.44') && mount.Type === 'bind') mount.BindOptions = { ...mount.BindOptions, ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: false }
  if (before('1.45') && mount.VolumeOptions) mount.VolumeOptions = { ...mount.VolumeOptions, Subpath: undefined }
  if (before('1.46') && mount.TmpfsOptions) mount.TmpfsOptions = { ...mount.TmpfsOptions, Options: undefined }
  return mount
}
