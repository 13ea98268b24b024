import type { EngineContext } from '../context.ts'
import { EngineError } from '@engine/linux'
import { matchesLabel } from '../events/filter.ts'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import type { Filters, Networks } from '../interface.ts'
import type { NetworkView } from '../types/system-views.ts'
import type { NetworkRecord } from './networks-table.ts'

const known = new Set(['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'])

/** The engine's networks, as clients see them. */
export function createNetworks(engine: EngineContext): Networks {
  return {
    async list(filters) {
      const passes = networkFilter(filters)
      return engine.networks.records.filter(passes).map((network) => ({ ...networkView(engine, network), Containers: {} }))
    },
    async inspect(ref) {
      return networkView(engine, engine.networks.find(ref))
    },
  }
}

function networkFilter(filters: Filters): (network: NetworkRecord) => boolean {
  refuseUnknownFilters(filters, known)
  for (const type of filters.get('type') ?? []) {
    if (type !== 'builtin' && type !== 'custom') throw new EngineError('invalid-argument', `invalid filter: 'type'='${type}'`)
  }
  const any = (key: string, matches: (value: string) => boolean): boolean => filters.get(key)?.some(matches) ?? true
  return (network) =>
    any('name', (value) => network.name.includes(value)) &&
    any('id', (value) => network.id.startsWith(value)) &&
    any('driver', (value) => network.driver === value) &&
    any('scope', (value) => value === 'local') &&
    any('type', (value) => value === 'builtin') &&
    // Predefined networks are never dangling.
    any('dangling', (value) => !/^(1|true)$/i.test(value)) &&
    (filters.get('label') ?? []).every((label) => matchesLabel({}, label))
}

function networkView(engine: EngineContext, network: NetworkRecord): NetworkView {
  const bridge = network.driver === 'bridge' ? engine.networks.bridge : undefined
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config: bridge === undefined ? null : [{ Subnet: bridge.subnet, ...(bridge.range === undefined ? {} : { IPRange: bridge.range }), Gateway: bridge.gateway }],
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: connected(engine, network),
    Options:
      bridge === undefined
        ? {}
        : {
            'com.docker.network.bridge.default_bridge': 'true',
            'com.docker.network.bridge.enable_icc': String(engine.options.interContainer),
            'com.docker.network.bridge.enable_ip_masquerade': String(engine.options.masquerade),
            'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
            'com.docker.network.bridge.name': bridge.bridge,
            'com.docker.network.driver.mtu': String(bridge.mtu),
          },
    Labels: {},
  }
}

function connected(engine: EngineContext, network: NetworkRecord): NetworkView['Containers'] {
  return Object.fromEntries(
    engine.containers.all().flatMap((container) => {
      const endpoint = container.sandbox.endpoints.find(({ networkId }) => networkId === network.id)
      if (endpoint === undefined) return []
      const { lease } = endpoint
      return [[container.id, {
        Name: container.name,
        EndpointID: endpoint.id,
        MacAddress: lease?.mac ?? '',
        IPv4Address: lease === undefined ? '' : `${lease.address}/${endpoint.prefix}`,
        IPv6Address: '',
      }]]
    }),
  )
}
