import type { OperationId } from './routes.ts'
import { API_VERSION, isAtLeast } from './version.ts'

type Fields = Record<string, unknown>

/** A field that came, or went, with a version of the API. Answers are made in the newest shape; older clients get what they know. */
export interface FieldChange {
  readonly operation: OperationId
  /** Names by dots; `*` is each element of a list or map. */
  readonly path: string
  /** The version that added the field: older clients do not get it. */
  readonly since?: string
  /** The version that removed the field: older clients still get `value`, a constant or made from the object that holds the field. */
  readonly until?: string
  readonly value?: unknown
}

/** Fields that images had by accident, as a container's Config has them; always empty (CHANGELOG, v1.46 and v1.50). */
const emptyImageConfig: readonly (readonly [name: string, value: unknown])[] = [
  ['Hostname', ''],
  ['Domainname', ''],
  ['AttachStdin', false],
  ['AttachStdout', false],
  ['AttachStderr', false],
  ['Tty', false],
  ['OpenStdin', false],
  ['StdinOnce', false],
  ['Image', ''],
]

/** Bytes of the build cache that nothing else has. */
function builderSize({ BuildCache }: Fields): number {
  const records = (BuildCache ?? []) as readonly { readonly Shared: boolean; readonly Size: number }[]
  return records.reduce((total, { Shared, Size }) => total + (Shared ? 0 : Size), 0)
}

/**
 * The list (moby: api/docs/CHANGELOG.md). Only what a client of that age would miss or stumble over; a new field that changes no
 * meaning is kept from old clients all the same, so that a pinned client sees what its version's description says.
 */
export const fieldChanges: readonly FieldChange[] = [
  { operation: 'ContainerList', path: '*.ImageManifestDescriptor', since: '1.48' },
  { operation: 'ContainerList', path: '*.HostConfig.Annotations', since: '1.46' },
  { operation: 'ContainerList', path: '*.NetworkSettings.Networks.*.GwPriority', since: '1.48' },
  { operation: 'ContainerList', path: '*.NetworkSettings.Networks.*.DNSNames', since: '1.44' },
  { operation: 'ContainerInspect', path: 'ImageManifestDescriptor', since: '1.48' },
  { operation: 'ContainerInspect', path: 'HostConfig.Annotations', since: '1.43' },
  { operation: 'ContainerInspect', path: 'NetworkSettings.Networks.*.GwPriority', since: '1.48' },
  { operation: 'ContainerInspect', path: 'NetworkSettings.Networks.*.DNSNames', since: '1.44' },
  { operation: 'ContainerInspect', path: 'HostConfig.KernelMemory', until: '1.42', value: 0 },
  { operation: 'ContainerWait', path: 'Error', since: '1.34' },
  { operation: 'ExecInspect', path: 'Pid', since: '1.25' },
  { operation: 'ImageInspect', path: 'Descriptor', since: '1.48' },
  { operation: 'ImageInspect', path: 'Manifests', since: '1.48' },
  { operation: 'ImageInspect', path: 'Metadata', since: '1.31' },
  { operation: 'ImageInspect', path: 'Created', until: '1.44', value: '0001-01-01T00:00:00Z' },
  { operation: 'ImageInspect', path: 'VirtualSize', until: '1.44', value: (image: Fields) => image.Size },
  { operation: 'ImageInspect', path: 'Container', until: '1.45', value: '' },
  { operation: 'ImageInspect', path: 'ContainerConfig', until: '1.45', value: null },
  ...emptyImageConfig.map(([name, value]): FieldChange => ({ operation: 'ImageInspect', path: `Config.${name}`, until: '1.50', value })),
  { operation: 'ImageList', path: '*.Descriptor', since: '1.48' },
  { operation: 'ImageList', path: '*.Manifests', since: '1.47' },
  { operation: 'ImageList', path: '*.VirtualSize', until: '1.44', value: (image: Fields) => image.Size },
  { operation: 'NetworkInspect', path: 'EnableIPv4', since: '1.48' },
  { operation: 'NetworkInspect', path: 'Ingress', since: '1.29' },
  { operation: 'NetworkInspect', path: 'Created', since: '1.25' },
  { operation: 'NetworkList', path: '*.EnableIPv4', since: '1.48' },
  { operation: 'NetworkList', path: '*.Ingress', since: '1.29' },
  { operation: 'NetworkList', path: '*.Created', since: '1.25' },
  { operation: 'SystemDataUsage', path: 'Images.*.VirtualSize', until: '1.44', value: (image: Fields) => image.Size },
  { operation: 'SystemDataUsage', path: 'BuilderSize', until: '1.42', value: builderSize },
  { operation: 'SystemInfo', path: 'DiscoveredDevices', since: '1.50' },
  { operation: 'SystemInfo', path: 'BridgeNfIptables', until: '1.50', value: false },
  { operation: 'SystemInfo', path: 'BridgeNfIp6tables', until: '1.50', value: false },
  { operation: 'SystemInfo', path: 'FirewallBackend', since: '1.49' },
  { operation: 'SystemInfo', path: 'ContainerdCommit.Expected', until: '1.49', value: (commit: Fields) => commit.ID },
  { operation: 'SystemInfo', path: 'RuncCommit.Expected', until: '1.49', value: (commit: Fields) => commit.ID },
  { operation: 'SystemInfo', path: 'InitCommit.Expected', until: '1.49', value: (commit: Fields) => commit.ID },
  { operation: 'SystemInfo', path: 'RegistryConfig.AllowNondistributableArtifactsCIDRs', until: '1.49', value: null },
  { operation: 'SystemInfo', path: 'RegistryConfig.AllowNondistributableArtifactsHostnames', until: '1.49', value: null },
  { operation: 'SystemInfo', path: 'Containerd', since: '1.46' },
  { operation: 'SystemInfo', path: 'CDISpecDirs', since: '1.44' },
  { operation: 'SystemInfo', path: 'Runtimes.*.status', since: '1.44' },
  { operation: 'SystemInfo', path: 'KernelMemory', until: '1.42', value: false },
  { operation: 'SystemInfo', path: 'CgroupVersion', since: '1.41' },
  { operation: 'SystemInfo', path: 'DefaultAddressPools', since: '1.41' },
  { operation: 'SystemInfo', path: 'PidsLimit', since: '1.40' },
  { operation: 'SystemInfo', path: 'Warnings', since: '1.39' },
  { operation: 'SystemInfo', path: 'Isolation', since: '1.25' },
  { operation: 'SystemVersion', path: 'Platform', since: '1.35' },
  { operation: 'SystemVersion', path: 'Components', since: '1.35' },
  { operation: 'SystemVersion', path: 'MinAPIVersion', since: '1.25' },
  { operation: 'VolumeInspect', path: 'Options', since: '1.25' },
  { operation: 'VolumeInspect', path: 'CreatedAt', since: '1.31' },
  { operation: 'VolumeCreate', path: 'Options', since: '1.25' },
  { operation: 'VolumeCreate', path: 'CreatedAt', since: '1.31' },
  { operation: 'VolumeList', path: 'Volumes.*.Options', since: '1.25' },
  { operation: 'VolumeList', path: 'Volumes.*.CreatedAt', since: '1.31' },
]

/**
 * Gives an answer the shape it had in `version` of the API. `answer` itself is left as it is.
 * Changes of meaning rather than of fields (aliases before 1.45, untagged images before 1.43) are the routes' business.
 */
export function shapeFor(version: string, operation: OperationId, answer: unknown): unknown {
  if (version === API_VERSION) return answer
  const changes = fieldChanges.filter(
    (change) =>
      change.operation === operation &&
      ((change.since !== undefined && !isAtLeast(version, change.since)) || (change.until !== undefined && !isAtLeast(version, change.until))),
  )
  if (changes.length === 0) return answer
  const shaped = structuredClone(answer)
  for (const change of changes) apply(change, shaped, change.path.split('.'))
  return shaped
}

function apply(change: FieldChange, at: unknown, path: readonly string[]): void {
  if (typeof at !== 'object' || at === null) return
  const [name, ...rest] = path
  if (name === undefined) return
  if (name === '*') {
    for (const item of Object.values(at)) apply(change, item, rest)
    return
  }
  const fields = at as Fields
  if (rest.length > 0) apply(change, fields[name], rest)
  else if (change.since !== undefined) delete fields[name]
  else if (fields[name] === undefined) fields[name] = typeof change.value === 'function' ? change.value(fields) : change.value
}
