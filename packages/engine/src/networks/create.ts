import { randomBytes } from 'node:crypto'
import { EngineError } from '@engine/linux'
import { isBridge, SharedLinkNetwork } from '@engine/network'
import { now, rfc3339 } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import type { CreateNetwork } from '../interface.ts'
import { transaction } from '../state/database.ts'
import { interfacePrefix, isolatedFamilies, readBridgeOptions } from './driver-options.ts'
import type { LiveNetwork } from './drivers.ts'
import { readIpamConfig } from './ipam-config.ts'
import { isPredefined, type IpamPool, type NetworkDriver, type NetworkRecord, type NetworkSettings } from './networks-table.ts'
import { completePools } from './subnets.ts'

const notInSwarm = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'

/**
 * Makes a network: chooses its subnets, makes its bridge and rules, notes it. What fails leaves nothing behind.
 * @throws EngineError in Docker's words
 */
export function createNetwork(engine: EngineContext, request: CreateNetwork): Promise<{ Id: string; Warning: string }> {
  return engine.networks.creating.run(() => make(engine, request))
}

async function make(engine: EngineContext, request: CreateNetwork): Promise<{ Id: string; Warning: string }> {
  checkRequest(engine, request)
  const id = randomBytes(32).toString('hex')
  const lent = borrowed(engine, request)
  const driver = driverOf(lent)
  const settings = settingsOf(engine, lent, driver, id)
  const network: NetworkRecord = { id, name: lent.Name, driver, createdAt: rfc3339(now()), settings }
  const live = engine.networks.open(network)
  const intent = engine.intents.begin('network create', id, { bridge: settings.bridge, foreign: settings.foreign })
  try {
    live?.ensure()
    if (live instanceof SharedLinkNetwork) await live.probe()
    transaction(engine.db, () => {
      engine.networks.insert(network)
      engine.intents.end(intent)
    })
  } catch (error) {
    await undo(live, settings)
    engine.intents.end(intent)
    throw error
  }
  engine.networks.add(network, live)
  engine.events.publish('network', 'create', id, { name: network.name, type: driver })
  return { Id: id, Warning: '' }
}

/** Takes back what was made; not what was in the way. */
async function undo(live: LiveNetwork | undefined, settings: NetworkSettings): Promise<void> {
  if (settings.bridge === '' || settings.foreign || isBridge(settings.bridge)) await live?.remove()
}

function checkRequest(engine: EngineContext, request: CreateNetwork): void {
  const { Name: name } = request
  if (name.trim() === '') throw new EngineError('invalid-argument', 'invalid name: name is empty')
  if (isPredefined(name) || name === 'default') throw new EngineError('forbidden', `operation is not permitted on predefined ${name} network `)
  if (request.Scope === 'swarm' || request.Scope === 'global') throw new EngineError('forbidden', 'cannot create a swarm scoped network when swarm is not active')
  if (request.Scope && request.Scope !== 'local') throw new EngineError('invalid-argument', `invalid scope: ${request.Scope}`)
  if (request.ConfigOnly === true && (request.Internal === true || request.Attachable === true || request.Ingress === true)) {
    throw new EngineError('forbidden', 'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.')
  }
  if (request.Ingress === true) throw new EngineError('forbidden', 'Ingress network can only be global scope network')
  if (engine.networks.records.some((network) => network.name === name)) throw new EngineError('conflict', `network with name ${name} already exists`)
}

/** A request whose configuration is another network's (`--config-from`), filled in. */
function borrowed(engine: EngineContext, request: CreateNetwork): CreateNetwork {
  const from = request.ConfigFrom?.Network
  if (!from) return request
  if (request.ConfigOnly === true) throw new EngineError('forbidden', 'a configuration network cannot depend on another configuration network')
  const lender = engine.networks.records.find(({ name, settings: { configOnly } }) => configOnly && name === from)
  if (lender === undefined) throw new EngineError('not-found', `configuration network ${JSON.stringify(from)} does not exist`)
  if ((request.IPAM?.Config?.length ?? 0) > 0 || Object.keys(request.Options ?? {}).length > 0) throw new EngineError('forbidden', 'user specified configurations are not supported if the network depends on a configuration network')
  const { settings } = lender
  return {
    ...request,
    ConfigFrom: { Network: lender.name },
    EnableIPv4: settings.enableIPv4,
    EnableIPv6: settings.enableIPv6,
    Labels: { ...settings.labels, ...request.Labels },
    Options: settings.options,
    IPAM: { Driver: settings.ipamDriver, Options: settings.ipamOptions, Config: settings.pools.map(({ subnet, range, gateway, auxiliary }) => ({ Subnet: subnet, IPRange: range, Gateway: gateway, AuxiliaryAddresses: auxiliary })) },
  }
}

function driverOf(request: CreateNetwork): NetworkDriver {
  // The docker command names one all the same.
  if (request.ConfigOnly === true) return 'null'
  switch (request.Driver || 'bridge') {
    case 'bridge': return 'bridge'
    case 'macvlan': return 'macvlan'
    case 'ipvlan': return 'ipvlan'
    case 'host': case 'null': throw new EngineError('forbidden', `only one instance of "${request.Driver ?? ''}" network is allowed`)
    case 'overlay': throw new EngineError('forbidden', notInSwarm)
    default: throw new EngineError('not-found', `plugin ${JSON.stringify(request.Driver)} not found`)
  }
}

function settingsOf(engine: EngineContext, request: CreateNetwork, driver: NetworkDriver, id: string): NetworkSettings {
  const { ConfigOnly, EnableIPv4, EnableIPv6, Internal, Attachable, IPAM, Options, Labels } = request
  const [enableIPv4, enableIPv6, internal, options] = [EnableIPv4 ?? true, EnableIPv6 ?? false, Internal ?? false, { ...engine.options.networkOptions?.[driver], ...Options }]
  if (!enableIPv4 && !enableIPv6 && ConfigOnly !== true) throw new EngineError('invalid-argument', 'IPv4 or IPv6 must be enabled')
  const ipamDriver = IPAM?.Driver || 'default'
  if (ipamDriver !== 'default') throw new EngineError('not-found', `plugin ${JSON.stringify(ipamDriver)} not found`)
  const given = readIpamConfig(IPAM?.Config, enableIPv6).filter(({ subnet }) => enableIPv4 || subnet.includes(':'))
  const isBridgeNetwork = driver === 'bridge'
  const bridge = isBridgeNetwork ? (readBridgeOptions(options, internal).name ?? `br-${id.slice(0, 12)}`) : ''
  interfacePrefix(options)
  checkFamilies(driver, given)
  if (isBridgeNetwork) checkBridgeName(engine, bridge, id)
  const families = { ipv4: enableIPv4, ipv6: enableIPv6 }
  return {
    enableIPv4,
    enableIPv6,
    internal,
    attachable: Attachable ?? false,
    configOnly: ConfigOnly ?? false,
    configFrom: request.ConfigFrom?.Network ?? '',
    ipamDriver,
    ipamOptions: IPAM?.Options ?? null,
    pools: ConfigOnly === true ? given : completePools(given, families, engine.networks.pools, engine.networks.subnets(), isBridgeNetwork ? isolatedFamilies(options, internal) : new Set(), engine.options.resolvConf),
    options,
    labels: { ...Labels },
    bridge,
    foreign: isBridgeNetwork && isBridge(bridge),
  }
}

function checkFamilies(driver: NetworkDriver, given: readonly IpamPool[]): void {
  for (const ipv6 of [false, true]) {
    if (given.filter(({ subnet }) => subnet.includes(':') === ipv6).length > 1) throw new EngineError('forbidden', `${driver} driver doesn't support multiple subnets`)
  }
}

function checkBridgeName(engine: EngineContext, bridge: string, id: string): void {
  const other = engine.networks.records.find(({ name, settings }) => (name === 'bridge' ? engine.options.bridge : settings.bridge) === bridge)
  if (other !== undefined) throw new EngineError('forbidden', `cannot create network ${id} (${bridge}): conflicts with network ${other.id} (${bridge}): networks have same bridge name`)
}
