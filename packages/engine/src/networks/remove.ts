import { EngineError } from '@engine/linux'
import { parseRfc3339 } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import { passesLabels } from '../filters.ts'
import type { Filters } from '../interface.ts'
import { untilFilter } from '../until-filter.ts'
import { isPredefined, type NetworkRecord } from './networks-table.ts'

const known = new Set(['label', 'label!', 'until'])

/**
 * Removes a network that no running container is on.
 * @throws EngineError not-found, forbidden in Docker's words
 */
export async function removeNetwork(engine: EngineContext, ref: string): Promise<void> {
  const network = engine.networks.find(ref)
  if (isPredefined(network.name)) throw new EngineError('forbidden', `${network.name} is a pre-defined network and cannot be removed`)
  const refused = (why: string): EngineError => new EngineError('forbidden', `error while removing network: ${why}`)
  if (engine.networks.records.some(({ settings }) => settings.configFrom === network.name)) throw refused(`configuration network ${JSON.stringify(network.name)} is in use`)
  const active = activeEndpoints(engine, network)
  if (active.length > 0) {
    throw refused(`network ${network.name} has active endpoints (${active.map(({ name, id }) => `name:${JSON.stringify(name)} id:${JSON.stringify(id.slice(0, 12))}`).join(', ')})`)
  }
  const { bridge, foreign } = network.settings
  const intent = engine.intents.begin('network remove', network.id, { bridge, foreign }, () => engine.networks.delete(network))
  const live = engine.networks.forget(network)
  engine.names.removeNetwork(network.id)
  await live?.remove()
  engine.intents.end(intent)
  engine.events.publish('network', 'destroy', network.id, { name: network.name, type: network.driver })
}

/** Removes the networks of users' own that no container is on, running or not. */
export async function pruneNetworks(engine: EngineContext, filters: Filters): Promise<{ NetworksDeleted: string[] | null }> {
  refuseUnknownFilters(filters, known)
  const until = untilFilter(filters)
  const deleted: string[] = []
  for (const network of engine.networks.records) {
    if (isPredefined(network.name) || network.settings.configOnly || isUsed(engine, network)) continue
    if (until !== undefined && parseRfc3339(network.createdAt) > until) continue
    if (!passesLabels(filters, network.settings.labels)) continue
    try {
      await removeNetwork(engine, network.id)
      deleted.push(network.name)
    } catch (error) {
      // In use, or gone meanwhile: the others are pruned all the same.
      if (!(error instanceof EngineError && (error.code === 'forbidden' || error.code === 'not-found'))) throw error
    }
  }
  engine.events.publish('network', 'prune', '', { reclaimed: '0' })
  return { NetworksDeleted: deleted.length === 0 ? null : deleted }
}

/** Whether a container is on a network, or will be when it is started. */
export function isUsed(engine: EngineContext, network: NetworkRecord): boolean {
  return engine.containers.all().some((container) => Object.hasOwn(container.record.endpoints, network.name)) || activeEndpoints(engine, network).length > 0
}

/** Endpoints of running containers, and of those that are being started. */
function activeEndpoints(engine: EngineContext, network: NetworkRecord): { readonly name: string; readonly id: string }[] {
  return engine.containers.all().flatMap((container) => {
    const endpoints = [...container.sandbox.endpoints, ...container.connecting]
    return endpoints.filter(({ networkId }) => networkId === network.id).map(({ id }) => ({ name: container.name, id }))
  })
}
