import { EngineError } from '@engine/linux'
import type { Filters } from '../interface.ts'
import { matchesLabel } from '../events/filter.ts'
import type { ContainerStatus } from '../types/container-views.ts'
import type { Container } from './container.ts'
import { publishes } from './port-bindings.ts'
import type { ContainerRegistry } from './registry.ts'
import { isRunning } from './state.ts'

/** `isolation` and `is-task` are of Windows and swarm: the first filters nothing here, as with Docker. */
const known = new Set(['ancestor', 'before', 'exited', 'expose', 'health', 'id', 'isolation', 'is-task', 'label', 'name', 'network', 'publish', 'since', 'status', 'volume'])
const statuses: readonly ContainerStatus[] = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']
const healths = ['none', 'starting', 'healthy', 'unhealthy']

const invalid = (message: string): EngineError => new EngineError('invalid-argument', message)

/** @throws EngineError `invalid filter 'x'` for a key that is not among `keys` */
export function refuseUnknownFilters(filters: Filters, keys: ReadonlySet<string>): void {
  for (const key of filters.keys()) if (!keys.has(key)) throw invalid(`invalid filter '${key}'`)
}

/** What the filters need to know besides the container itself. */
export interface FilterSurroundings {
  readonly containers: ContainerRegistry
  /** Ids of images that an ancestor names, itself or by one of its layers' images. */
  readonly imageIds: (ref: string) => readonly string[]
}

/** Which containers GET containers/json shows. */
export interface ContainerFilter {
  /** Also those that are not running: a filter for a state asks for them. */
  readonly all: boolean
  passes(container: Container): boolean
}

/**
 * Works out Docker's filters for containers: values of one key are alternatives, labels and keys must all match.
 * @throws EngineError in Docker's words for what is no filter
 */
export function containerFilter(filters: Filters, around: FilterSurroundings): ContainerFilter {
  refuseUnknownFilters(filters, known)
  const values = (key: string): readonly string[] => filters.get(key) ?? []
  for (const value of values('status')) {
    if (!statuses.some((status) => status === value)) throw invalid(`invalid filter 'status=${value}': invalid value for state (${value}): must be one of ${statuses.join(', ')}`)
  }
  for (const value of values('health')) {
    if (!healths.includes(value)) throw invalid(`invalid filter 'health=${value}': invalid value for health (${value}): must be one of ${healths.join(', ')}`)
  }
  const exited = values('exited').map((value) => {
    if (!/^[+-]?\d+$/.test(value)) throw invalid(`invalid filter 'exited=${value}': strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`)
    return Number(value)
  })
  const isTask = values('is-task').map((value) => {
    if (!/^(true|false|1|0|t|f)$/i.test(value)) throw invalid(`invalid filter 'is-task=[${values('is-task').join(' ')}]'`)
    return /^(true|1|t)$/i.test(value)
  })
  const before = values('before').map((ref) => around.containers.find(ref).record.createdNs)
  const since = values('since').map((ref) => around.containers.find(ref).record.createdNs)
  const ancestors = values('ancestor').flatMap((ref) => around.imageIds(ref))
  const names = values('name').map(pattern)
  const ids = values('id').map(pattern)
  const exposed = values('expose').map((text) => parsePorts('expose', text))
  const published = values('publish').map((text) => parsePorts('publish', text))
  const any = <T>(given: readonly unknown[], list: readonly T[], matches: (value: T) => boolean): boolean => given.length === 0 || list.some(matches)
  return {
    // Docker shows a dead or exited one to whoever asks for its state or exit status.
    all: values('status').length > 0 || exited.length > 0,
    passes(container) {
      const { record, state } = container
      return (
        any(values('status'), values('status'), (value) => value === state.status) &&
        any(exited, exited, (code) => code === state.exitCode && !isRunning(state) && state.status !== 'created') &&
        any(values('health'), values('health'), (value) => value === (container.health?.status ?? 'none')) &&
        any(isTask, isTask, (value) => !value) &&
        any(before, before, (created) => record.createdNs < created) &&
        any(since, since, (created) => record.createdNs > created) &&
        any(values('ancestor'), ancestors, (image) => image === record.imageId) &&
        any(names, names, (name) => name(container.name) || name(`/${container.name}`)) &&
        any(ids, ids, (id) => id(container.id)) &&
        values('label').every((label) => matchesLabel(record.config.Labels, label)) &&
        any(values('network'), values('network'), (network) => onNetwork(container, network)) &&
        any(values('volume'), values('volume'), (volume) => record.mounts.some(({ point }) => point.Name === volume || point.Destination === volume || point.Source === volume)) &&
        any(exposed, exposed, (ports) => Object.keys(record.config.ExposedPorts ?? {}).some((port) => ports.includes(port))) &&
        any(published, published, (ports) => publishes(container.sandbox.ports ?? [], ports))
      )
    },
  }
}

function onNetwork(container: Container, wanted: string): boolean {
  return Object.keys(container.record.endpoints).includes(wanted) || container.sandbox.endpoints.some(({ networkId }) => networkId.startsWith(wanted))
}

/** Docker takes names and ids for regular expressions, and for plain text when they are none. */
function pattern(text: string): (candidate: string) => boolean {
  try {
    const expression = new RegExp(text)
    return (candidate) => candidate === text || expression.test(candidate)
  } catch {
    return (candidate) => candidate === text
  }
}

/** `80`, `80/tcp`, `8000-8010/udp` → each port with its protocol. */
function parsePorts(filter: string, text: string): string[] {
  const [range = '', protocol = 'tcp'] = text.split('/')
  const [first = '', last = first] = range.split('-')
  for (const port of [first, last]) {
    const why = !/^\d+$/.test(port) ? 'invalid syntax' : Number(port) > 65535 ? 'value out of range' : undefined
    if (why !== undefined) throw new EngineError('invalid-argument', `error while looking up for ${filter} ${text}: strconv.ParseUint: parsing ${JSON.stringify(port)}: ${why}`)
  }
  const ports: string[] = []
  for (let port = Number(first); port <= Number(last); port++) ports.push(`${port}/${protocol}`)
  return ports
}
