import { now } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import type { Filters } from '../interface.ts'
import type { ContainerSummary } from '../types/container-views.ts'
import type { Container } from './container.ts'
import { containerFilter } from './list-filter.ts'
import { linkNames } from './links.ts'
import { networkEndpoints } from './network-view.ts'
import { portList } from './port-bindings.ts'
import { sizes } from './size.ts'
import { isRunning } from './state.ts'
import { statusText } from './status-text.ts'

export interface ListOptions {
  readonly all: boolean
  /** The newest so many, running or not. */
  readonly limit?: number | undefined
  readonly size: boolean
  readonly filters: Filters
}

/** Containers, newest first. */
export async function listContainers(engine: EngineContext, options: ListOptions): Promise<ContainerSummary[]> {
  const filter = containerFilter(options.filters, { containers: engine.containers, imageIds: (ref) => engine.images.idsOf(ref) })
  const limit = options.limit !== undefined && options.limit > 0 ? options.limit : undefined
  const everything = options.all || filter.all || limit !== undefined
  const chosen = engine.containers
    .all()
    .reverse()
    .filter((container) => (everything || isRunning(container.state)) && filter.passes(container))
    .slice(0, limit)
  const at = now()
  return Promise.all(chosen.map(async (container) => ({ ...summary(engine, container, at), ...(options.size ? shownSizes(await sizes(engine, container)) : {}) })))
}

/** Docker leaves a size of nothing out. */
function shownSizes({ SizeRw, SizeRootFs }: { readonly SizeRw: number; readonly SizeRootFs: number }): Partial<Pick<ContainerSummary, 'SizeRw' | 'SizeRootFs'>> {
  return { ...(SizeRw === 0 ? {} : { SizeRw }), ...(SizeRootFs === 0 ? {} : { SizeRootFs }) }
}

function summary(engine: EngineContext, container: Container, at: bigint): ContainerSummary {
  const { record, state } = container
  const { Annotations, NetworkMode } = record.hostConfig
  return {
    Id: container.id,
    Names: [`/${container.name}`, ...linkNames(engine.containers, container)],
    Image: engine.images.shownName(record.config.Image, record.imageId),
    ImageID: record.imageId,
    Command: command(record.path, record.args),
    Created: Number(record.createdNs / 1_000_000_000n),
    Ports: portList(container),
    Labels: record.config.Labels,
    State: state.status,
    Status: statusText(state, at, container.health?.status),
    HostConfig: { NetworkMode, ...(Annotations === undefined ? {} : { Annotations }) },
    // Names in the network are told by inspect only.
    NetworkSettings: { Networks: Object.fromEntries(Object.entries(networkEndpoints(engine, container)).map(([name, endpoint]) => [name, { ...endpoint, DNSNames: null }])) },
    Mounts: record.mounts.map(({ point }) => point),
  }
}

/** Arguments with spaces are quoted, as Docker shows them. */
function command(path: string, args: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ')
}
