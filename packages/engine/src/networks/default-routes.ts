import type { DefaultRoute } from '@engine/network'
import type { Container, SandboxEndpoint } from '../containers/container.ts'
import type { NetworkRegistry } from './network-registry.ts'

/** Which endpoint of a sandbox has which default route. */
export interface ChosenRoutes {
  readonly ipv4: SandboxEndpoint | undefined
  readonly ipv6: SandboxEndpoint | undefined
}

/**
 * Chooses through which network a container's packets leave, as Docker 28 does: the highest gateway priority, then networks with
 * both families, then the first by name. Networks without a way out do not count.
 */
export function chooseRoutes(networks: NetworkRegistry, container: Container, endpoints: readonly SandboxEndpoint[]): ChosenRoutes {
  const ranked = rankEndpoints(networks, container, endpoints)
  const first = (family: 'ipv4' | 'ipv6'): SandboxEndpoint | undefined => ranked.find((endpoint) => routeOf(networks, endpoint, family) !== undefined)
  return { ipv4: first('ipv4'), ipv6: first('ipv6') }
}

/** A container's endpoints in the order in which its packets, and its queries for names, try them. */
export function rankEndpoints(networks: NetworkRegistry, container: Container, endpoints: readonly SandboxEndpoint[]): SandboxEndpoint[] {
  return endpoints
    .map((endpoint) => {
      const name = networks.get(endpoint.networkId)?.name ?? ''
      return { endpoint, name, priority: container.record.endpoints[name]?.GwPriority ?? 0, families: Number(endpoint.gateway !== '') + Number(endpoint.gateway6 !== '') }
    })
    .sort((a, b) => b.priority - a.priority || b.families - a.families || (a.name < b.name ? -1 : 1))
    .map(({ endpoint }) => endpoint)
}

/** The default route through an endpoint; undefined when it has none in that family. */
export function routeOf(networks: NetworkRegistry, endpoint: SandboxEndpoint | undefined, family: 'ipv4' | 'ipv6'): DefaultRoute | undefined {
  return endpoint?.lease === undefined ? undefined : networks.live(endpoint.networkId)?.defaultRoute(endpoint.lease, family)
}
