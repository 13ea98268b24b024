import { EngineError } from '@engine/linux'
import { BridgeNetwork, chooseSubnet, createAddressPool, formatCidr, hostNetworks, parseCidr, presentBridgeAddress, SharedLinkNetwork, type Cidr, type ConnectableNetwork, type Firewall, type SharedLink } from '@engine/network'
import type { EngineOptions } from '../interface.ts'
import { isolatedFamilies, mtu, readBridgeOptions } from './driver-options.ts'
import type { NetworkRecord } from './networks-table.ts'
import { familySubnet, subnetPools } from './subnets.ts'

/** A network on the host. */
export interface LiveNetwork extends ConnectableNetwork {
  /** Makes what the network needs, or makes it right. */
  ensure(): unknown
  /** Takes it away; nothing happens when it is gone. */
  remove(): Promise<void>
}

/**
 * What a network is on the host; undefined for those that are nothing there. Nothing is made yet.
 * @throws EngineError invalid-argument for options that it does not take
 */
export function openDriver(network: NetworkRecord, firewall: Firewall, options: EngineOptions): LiveNetwork | undefined {
  if (network.settings.configOnly) return undefined
  if (network.driver === 'bridge') return bridgeDriver(network, firewall, options)
  if (network.driver === 'macvlan' || network.driver === 'ipvlan') return sharedLinkDriver(network)
  return undefined
}

/** The network `bridge`, which the configuration describes. @param taken subnets of the other networks */
export function defaultBridge(firewall: Firewall, options: EngineOptions, id: string, taken: readonly Cidr[]): BridgeNetwork {
  return new BridgeNetwork(
    {
      bridge: options.bridge,
      address: options.bip,
      range: options.fixedCidr,
      family4: { router: options.defaultGateway },
      ...defaultIPv6(options, id, taken),
      family6: { router: options.defaultGatewayV6 },
      subnetPools: subnetPools(options, id).ipv4,
      avoid: taken,
      mtu: options.mtu,
      masquerade: options.masquerade,
      interContainer: options.interContainer,
    },
    firewall,
  )
}

/** The default network's IPv6, as Docker takes it: `bip6`, or the first address of `fixed-cidr-v6`, or of a free subnet of the pools. */
function defaultIPv6(options: EngineOptions, id: string, taken: readonly Cidr[]): { readonly address6?: string; readonly range6?: string | undefined } {
  const { ipv6 = false, bip6, fixedCidrV6, bridge } = options
  if (!ipv6) return {}
  if (bip6 !== undefined) return { address6: bip6, range6: fixedCidrV6 }
  const gatewayIn = (subnet: Cidr): string => `${createAddressPool({ subnet }).gateway}/${subnet.prefix}`
  if (fixedCidrV6 !== undefined) return { address6: gatewayIn(parseCidr(fixedCidrV6)) }
  const present = presentBridgeAddress(bridge, 'ipv6')
  return { address6: present === undefined ? gatewayIn(chooseSubnet(subnetPools(options, id).ipv6, [...taken, ...hostNetworks()])) : formatCidr(present) }
}

function bridgeDriver({ settings }: NetworkRecord, firewall: Firewall, options: EngineOptions): BridgeNetwork {
  const { internal, bridge, foreign } = settings
  const given = readBridgeOptions(settings.options, internal)
  const isolated = isolatedFamilies(settings.options, internal)
  const [ipv4, ipv6] = [familySubnet(settings, 'ipv4'), familySubnet(settings, 'ipv6')]
  return new BridgeNetwork(
    {
      bridge,
      foreign,
      internal,
      ipv4: ipv4 !== undefined,
      address: ipv4?.address,
      range: ipv4?.range,
      family4: { mode: given.mode4, source: given.source4, reserved: ipv4?.reserved, router: ipv4?.router, unrouted: isolated.has('ipv4') && ipv4?.hasGateway === false },
      address6: ipv6?.address,
      range6: ipv6?.range,
      family6: { mode: given.mode6, source: given.source6, reserved: ipv6?.reserved, router: ipv6?.router, unrouted: isolated.has('ipv6') && ipv6?.hasGateway === false },
      subnetPools: [],
      mtu: given.mtu ?? options.mtu,
      masquerade: given.masquerade,
      interContainer: given.interContainer,
      inhibitIPv4: given.inhibitIPv4,
      trusted: given.trusted,
    },
    firewall,
  )
}

function sharedLinkDriver(network: NetworkRecord): SharedLinkNetwork {
  const { id, settings, driver } = network
  const { options } = settings
  const given = options['parent'] ?? ''
  const [, on = '', vlan = ''] = /^(.+)\.(\d{1,4})$/.exec(given) ?? []
  if (vlan !== '' && (Number(vlan) < 1 || Number(vlan) > 4094)) throw new EngineError('invalid-argument', `vlan id must be between 1-4094, received: ${vlan}`)
  const [ipv4, ipv6] = [familySubnet(settings, 'ipv4'), familySubnet(settings, 'ipv6')]
  return new SharedLinkNetwork({
    link: sharedLink(driver, options),
    parent: given || `${driver === 'macvlan' ? 'dm' : 'di'}-${id.slice(0, 12)}`,
    ownParent: given === '',
    vlan: vlan === '' ? undefined : { on, id: Number(vlan) },
    internal: settings.internal,
    address: ipv4?.address,
    range: ipv4?.range,
    family4: { reserved: ipv4?.reserved, router: ipv4?.router },
    address6: ipv6?.address,
    range6: ipv6?.range,
    family6: { reserved: ipv6?.reserved, router: ipv6?.router },
    mtu: mtu(options),
  })
}

const macvlanModes = ['bridge', 'private', 'vepa', 'passthru'] as const
const ipvlanModes = ['l2', 'l3', 'l3s'] as const
const ipvlanFlags = ['bridge', 'private', 'vepa'] as const

function sharedLink(driver: NetworkRecord['driver'], options: Readonly<Record<string, string>>): SharedLink {
  const choose = <T extends string>(known: readonly T[], key: string, fallback: T, what: string): T => {
    const text = options[key] || fallback
    const found = known.find((one) => one === text)
    if (found === undefined) throw new EngineError('invalid-argument', `requested ${what} '${text}' is not valid, '${fallback}' ${what.split(' ')[1]} is the ${driver} driver default`)
    return found
  }
  if (driver === 'macvlan') return { kind: 'macvlan', mode: choose(macvlanModes, 'macvlan_mode', 'bridge', 'macvlan mode') }
  return { kind: 'ipvlan', mode: choose(ipvlanModes, 'ipvlan_mode', 'l2', 'ipvlan mode'), flag: choose(ipvlanFlags, 'ipvlan_flag', 'bridge', 'ipvlan flag') }
}
