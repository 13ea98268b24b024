import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import { passesLabels } from '../filters.ts'
import type { Filters, Networks } from '../interface.ts'
import type { NetworkView } from '../types/system-views.ts'
import { connectNetwork } from './connect.ts'
import { createNetwork } from './create.ts'
import { disconnectNetwork } from './disconnect.ts'
import { isPredefined, type NetworkRecord } from './networks-table.ts'
import { traceWay } from './trace/trace-way.ts'
import { isUsed, pruneNetworks, removeNetwork } from './remove.ts'

const known = new Set(['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'])

/** The verbs of networks. */
export function createNetworks(engine: EngineContext): Networks {
  return {
    async list(filters, options) {
      const passes = networkFilter(engine, filters)
      return engine.networks.records.filter(passes).map((network) => ({ ...networkView(engine, network), ...(options?.containers === true ? {} : { Containers: {} }) }))
    },
    async inspect(ref, { scope } = { scope: '' }) {
      const network = engine.networks.find(ref)
      if (scope !== '' && scope !== 'local') throw new EngineError('not-found', `network ${ref} not found`)
      return networkView(engine, network)
    },
    create: (request) => createNetwork(engine, request),
    remove: (ref) => removeNetwork(engine, ref),
    connect: (ref, container, endpoint) => connectNetwork(engine, ref, container, endpoint),
    disconnect: (ref, container, force) => disconnectNetwork(engine, ref, container, force),
    prune: (filters) => pruneNetworks(engine, filters),
    trace: (from, to, protocol, family) => traceWay(engine, from, to, protocol, family),
  }
}

function networkFilter(engine: EngineContext, filters: Filters): (network: NetworkRecord) => boolean {
  refuseUnknownFilters(filters, known)
  for (const type of filters.get('type') ?? []) {
    if (type !== 'builtin' && type !== 'custom') throw new EngineError('invalid-argument', `invalid filter: 'type'='${type}'`)
  }
  const dangling = filters.get('dangling') ?? []
  if (dangling.length > 1) throw new EngineError('invalid-argument', `got more than one value for filter key "dangling"`)
  if (dangling.length === 1 && !/^(1|0|true|false)$/.test(dangling[0] ?? '')) throw new EngineError('invalid-argument', `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`)
  const any = (key: string, matches: (value: string) => boolean): boolean => filters.get(key)?.some(matches) ?? true
  return (network) =>
    any('name', (value) => network.name.includes(value)) &&
    any('id', (value) => network.id.startsWith(value)) &&
    any('driver', (value) => network.driver === value) &&
    any('scope', (value) => value === 'local') &&
    any('type', (value) => (value === 'builtin') === isPredefined(network.name)) &&
    // Predefined networks are never dangling.
    any('dangling', (value) => (value === '1' || value === 'true') === (!isPredefined(network.name) && !isUsed(engine, network))) &&
    passesLabels(filters, network.settings.labels)
}

/** A network, as Docker shows it. */
export function networkView(engine: EngineContext, network: NetworkRecord): NetworkView {
  const { settings } = network
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: settings.enableIPv4,
    EnableIPv6: network.name === 'bridge' ? engine.options.ipv6 === true : settings.enableIPv6,
    IPAM: { Driver: settings.ipamDriver, Options: settings.ipamOptions, Config: ipamConfig(engine, network) },
    Internal: settings.internal,
    Attachable: settings.attachable,
    Ingress: false,
    ConfigFrom: { Network: settings.configFrom },
    ConfigOnly: settings.configOnly,
    Containers: connected(engine, network),
    Options: network.name === 'bridge' ? defaultBridgeOptions(engine) : settings.options,
    Labels: settings.labels,
  }
}

function ipamConfig(engine: EngineContext, { name, settings }: NetworkRecord): NetworkView['IPAM']['Config'] {
  if (name === 'bridge') {
    const { ipv6, ...ipv4 } = engine.networks.bridge
    return [ipv4, ...(ipv6 === undefined ? [] : [ipv6])].map(({ subnet, range, gateway }) => ({ Subnet: subnet, ...(range === undefined ? {} : { IPRange: range }), Gateway: gateway }))
  }
  if (isPredefined(name)) return null
  return settings.pools.map(({ subnet, range, gateway, auxiliary }) => ({
    Subnet: subnet,
    ...(range === undefined ? {} : { IPRange: range }),
    ...(gateway === undefined ? {} : { Gateway: gateway }),
    ...(auxiliary === undefined ? {} : { AuxiliaryAddresses: auxiliary }),
  }))
}

function defaultBridgeOptions(engine: EngineContext): Record<string, string> {
  const { bridge, mtu } = engine.networks.bridge
  return {
    'com.docker.network.bridge.default_bridge': 'true',
    'com.docker.network.bridge.enable_icc': String(engine.options.interContainer),
    'com.docker.network.bridge.enable_ip_masquerade': String(engine.options.masquerade),
    'com.docker.network.bridge.host_binding_ipv4': engine.options.publishAddress ?? '0.0.0.0',
    'com.docker.network.bridge.name': bridge,
    'com.docker.network.driver.mtu': String(mtu),
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
        IPv4Address: lease?.address === undefined ? '' : `${lease.address}/${endpoint.prefix}`,
        IPv6Address: lease?.address6 === undefined ? '' : `${lease.address6}/${endpoint.prefix6}`,
      }]]
    }),
  )
}
