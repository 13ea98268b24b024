import { Nil, Struct, type Value } from './value.ts'

/** Fields of `inspect`'s answers that are maps: they print as `map[…]`, and a key that is missing is nothing wrong. */
const maps = new Set([
  'Labels', 'Volumes', 'ExposedPorts', 'PortBindings', 'Ports', 'Networks', 'DriverOpts', 'Sysctls', 'Tmpfs', 'StorageOpt', 'Annotations',
  'Options', 'Containers', 'Services', 'AuxiliaryAddresses', 'Data',
])

/** Maps of the GraphDriver and LogConfig, which other objects name as structs. */
const mapsWithin: Readonly<Record<string, ReadonlySet<string>>> = { LogConfig: new Set(['Config']) }

/** Fields whose types are pointers: null is `<nil>`. Other nulls are slices. */
const pointers = new Set([
  'Health', 'Healthcheck', 'Init', 'StopTimeout', 'SizeRw', 'SizeRootFs', 'IPAMConfig', 'MemorySwappiness', 'OomKillDisable', 'PidsLimit',
  'ImageManifestDescriptor', 'Status', 'ClusterVolume', 'UsageData', 'Metadata',
])

/** Fields that Docker's types have and their JSON leaves out when empty, by the object they are in ('' is the outermost). */
const optional: Readonly<Record<string, Readonly<Record<string, Value>>>> = {
  '': { SizeRw: nil('<nil>'), SizeRootFs: nil('<nil>'), ImageManifestDescriptor: nil('<nil>'), UsageData: nil('<nil>'), ClusterVolume: nil('<nil>'), Status: nil('map[]'), Variant: '', OsVersion: '', Created: '' },
  State: { Health: nil('<nil>') },
  Config: {
    Healthcheck: nil('<nil>'), ExposedPorts: nil('map[]'), StopSignal: '', StopTimeout: nil('<nil>'), Shell: nil('[]'),
    MacAddress: '', NetworkDisabled: false, ArgsEscaped: false, OnBuild: nil('[]'),
  },
  HostConfig: {
    Init: nil('<nil>'), Mounts: nil('[]'), Tmpfs: nil('map[]'), Sysctls: nil('map[]'), StorageOpt: nil('map[]'), Annotations: nil('map[]'),
    Runtime: '', KernelMemory: 0, KernelMemoryTCP: 0,
  },
}

function nil(text: '[]' | 'map[]' | '<nil>'): Nil {
  return new Nil(text, true)
}

/**
 * Gives parsed JSON the types that the docker command's structs have, so that a template prints `[]` for a null list, and finds
 * `.State.Health` where there is none.
 */
export function typed(json: unknown, name = ''): Value {
  if (json === null || json === undefined) return new Nil(maps.has(name) ? 'map[]' : pointers.has(name) ? '<nil>' : '[]')
  if (Array.isArray(json)) return json.map((item: unknown) => typed(item, `${name}[]`))
  if (typeof json !== 'object') return json
  const entries = Object.entries(json)
  // Go writes maps sorted, also as JSON.
  if (maps.has(name)) return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, typed(item, `${name}[]`)]))
  const fields = entries.map(([key, item]): [string, Value] => [key, mapsWithin[name]?.has(key) === true ? (item ?? new Nil('map[]')) : typed(item, key)])
  const present = Object.fromEntries(fields)
  const absent = Object.entries(optional[name] ?? {}).filter(([field]) => !Object.hasOwn(present, field))
  return new Struct(present, Object.fromEntries(absent))
}
