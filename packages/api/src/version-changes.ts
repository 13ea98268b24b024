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

/** The configuration of the container that an image was made from: always empty. */
const emptyContainerConfig = {
  ...Object.fromEntries(emptyImageConfig), User: '', Env: null, Cmd: null, Volumes: null, WorkingDir: '', Entrypoint: null, OnBuild: null, Labels: null,
}

/** The commit that is expected is the one that is there. */
function expectedCommit({ ID }: Fields): unknown {
  return ID === '' ? undefined : ID
}

/** Bytes of the build cache that nothing else has; left out when there are none. */
function builderSize({ BuildCache }: Fields): number | undefined {
  const records = (BuildCache ?? []) as readonly { readonly Shared: boolean; readonly Size: number }[]
  return records.reduce((total, { Shared, Size }) => total + (Shared ? 0 : Size), 0) || undefined
}

/**
 * The list: what Docker Engine 28.5 does for each version it was asked with (test/parity/versions), which is less than its CHANGELOG
 * says: most fields that a version added are sent to older clients as well, and clients have come to use them.
 */
export const fieldChanges: readonly FieldChange[] = [
  { operation: 'ContainerList', path: '*.ImageManifestDescriptor', since: '1.48' },
  { operation: 'ContainerList', path: '*.HostConfig.Annotations', since: '1.46' },
  { operation: 'ContainerInspect', path: 'ImageManifestDescriptor', since: '1.48' },
  { operation: 'ContainerWait', path: 'Error', since: '1.34' },
  { operation: 'ImageInspect', path: 'Descriptor', since: '1.48' },
  { operation: 'ImageInspect', path: 'Manifests', since: '1.48' },
  { operation: 'ImageInspect', path: 'Created', until: '1.44', value: '0001-01-01T00:00:00Z' },
  { operation: 'ImageInspect', path: 'VirtualSize', until: '1.44', value: (image: Fields) => image.Size },
  { operation: 'ImageInspect', path: 'ContainerConfig', until: '1.45', value: emptyContainerConfig },
  ...emptyImageConfig.map(([name, value]): FieldChange => ({ operation: 'ImageInspect', path: `Config.${name}`, until: '1.50', value })),
  { operation: 'ImageList', path: '*.Descriptor', since: '1.48' },
  { operation: 'ImageList', path: '*.Manifests', since: '1.47' },
  { operation: 'ImageList', path: '*.VirtualSize', until: '1.44', value: (image: Fields) => image.Size },
  { operation: 'SystemDataUsage', path: 'Images.*.VirtualSize', until: '1.44', value: (image: Fields) => image.Size },
  { operation: 'SystemDataUsage', path: 'BuilderSize', until: '1.42', value: builderSize },
  { operation: 'SystemInfo', path: 'DiscoveredDevices', since: '1.50' },
  { operation: 'SystemInfo', path: 'BridgeNfIptables', until: '1.50', value: false },
  { operation: 'SystemInfo', path: 'BridgeNfIp6tables', until: '1.50', value: false },
  { operation: 'SystemInfo', path: 'FirewallBackend', since: '1.49' },
  { operation: 'SystemInfo', path: 'ContainerdCommit.Expected', until: '1.49', value: expectedCommit },
  { operation: 'SystemInfo', path: 'RuncCommit.Expected', until: '1.49', value: expectedCommit },
  { operation: 'SystemInfo', path: 'InitCommit.Expected', until: '1.49', value: expectedCommit },
  { operation: 'SystemInfo', path: 'RegistryConfig.AllowNondistributableArtifactsCIDRs', until: '1.47', value: null },
  { operation: 'SystemInfo', path: 'RegistryConfig.AllowNondistributableArtifactsHostnames', until: '1.47', value: null },
  { operation: 'SystemInfo', path: 'Containerd', since: '1.46' },
  { operation: 'SystemInfo', path: 'Runtimes.*.status', since: '1.44' },
  { operation: 'SystemInfo', path: 'KernelMemory', until: '1.42', value: false },
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
