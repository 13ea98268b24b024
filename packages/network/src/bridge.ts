import { EngineError } from '@engine/linux'
import { AddressFamily, type Link, type Routing } from '@engine/linux/netlink'
import { writeSysctl } from '@engine/linux/sysctl'
import { broadcastOf, formatCidr, isIPv6, type Cidr } from './cidr.ts'
import { bridgeGroup } from './firewall/ruleset.ts'
import { macAddressFor, randomMacAddress } from './ipam.ts'
import { disableIPv6, enableIPv6, ignoreRouterAdvertisements } from './ipv6.ts'

const universe = 0
const linkScope = 253

export interface BridgeSettings {
  /** At most 15 characters. */
  readonly name: string
  /** The bridge's own addresses in its network, the gateways of the containers: at most one of each family. */
  readonly addresses: readonly Cidr[]
  /** Containers have IPv6. */
  readonly ipv6: boolean
  /** The bridge was there before, with addresses of its own that stay. */
  readonly foreign: boolean
  /** bytes */
  readonly mtu: number
}

/**
 * Makes a bridge, or makes an existing one what it shall be: a daemon that crashed left it, with containers on it. Its MAC
 * address is set, since a bridge without one takes its lowest port's, and changes it as containers come and go.
 * @throws EngineError conflict when the name is another kind of link's, or its address is another one with containers on it
 */
export function ensureBridge(routing: Routing, settings: BridgeSettings): Link {
  const existing = routing.findLink({ name: settings.name })
  if (existing !== undefined && existing.kind !== 'bridge') {
    throw new EngineError('conflict', `network interface ${settings.name} exists and is no bridge`)
  }
  if (existing === undefined) routing.createLink({ name: settings.name, kind: 'bridge', mac: settings.addresses[0] === undefined ? randomMacAddress() : macAddressFor(settings.addresses[0].address), mtu: settings.mtu, group: bridgeGroup })
  const bridge = existing ?? foundLink(routing, settings.name)
  if (bridge.mtu !== settings.mtu) routing.setLink({ index: bridge.index, mtu: settings.mtu })
  if (!settings.foreign && bridge.group !== bridgeGroup) routing.setLink({ index: bridge.index, group: bridgeGroup })
  if (settings.ipv6) enableIPv6(settings.name)
  else disableIPv6(settings.name)
  ignoreRouterAdvertisements(settings.name)
  // Services that the host keeps to its loopback stay out of reach (CVE-2020-8558). PortRules turns it on for ports that are published
  // there, and off again, also for what a crash left.
  if (existing === undefined) writeSysctl(`net/ipv4/conf/${settings.name}/route_localnet`, '0')
  for (const family of [AddressFamily.IPv4, AddressFamily.IPv6]) ensureAddress(routing, bridge, settings, family)
  if (!bridge.up) routing.setLink({ index: bridge.index, up: true })
  return foundLink(routing, settings.name)
}

/** The address of a family that an existing bridge has; undefined when there is no such bridge or it has none. Not its link-local one. */
export function bridgeAddress(routing: Routing, name: string, family: 'ipv4' | 'ipv6' = 'ipv4'): Cidr | undefined {
  const link = routing.findLink({ name })
  if (link?.kind !== 'bridge') return undefined
  const address = routing.listAddresses(link.index, family === 'ipv4' ? AddressFamily.IPv4 : AddressFamily.IPv6).find(({ scope }) => scope === universe)
  return address === undefined ? undefined : { address: address.address, prefix: address.prefix }
}

/** Takes a bridge away; its ports stay, without it. Nothing happens when it is gone already. */
export async function removeBridge(routing: Routing, name: string): Promise<void> {
  const link = routing.findLink({ name })
  if (link === undefined) return
  if (link.kind !== 'bridge') throw new EngineError('conflict', `network interface ${name} is no bridge`)
  await routing.deleteLink(link.index)
}

/** Networks that the host's routes lead to, without default routes and those by link `except`: no subnet of ours may touch them. */
export function routedNetworks(routing: Routing, except?: string): Cidr[] {
  const own = except === undefined ? undefined : routing.findLink({ name: except })?.index
  const routes = [AddressFamily.IPv4, AddressFamily.IPv6].flatMap((family) => routing.listRoutes(family))
  return routes.flatMap(({ destination, index }) => (destination === undefined || destination.prefix === 0 || (own !== undefined && index === own) ? [] : [destination]))
}

function ensureAddress(routing: Routing, bridge: Link, settings: BridgeSettings, family: number): void {
  const wanted = settings.addresses.find((address) => isIPv6(address) === (family === AddressFamily.IPv6))
  const present = routing.listAddresses(bridge.index, family).filter(({ scope }) => scope < linkScope)
  const others = present.filter((one) => one.address !== wanted?.address || one.prefix !== wanted.prefix)
  if (!settings.foreign) {
    if (wanted !== undefined && others.length > 0 && routing.listLinks(bridge.index).length > 0) {
      throw new EngineError('conflict', `bridge ${settings.name} has the address ${others.map(formatCidr).join(', ')} and containers on it: it cannot get ${formatCidr(wanted)}`)
    }
    for (const other of others) routing.deleteAddress(other)
  }
  if (wanted === undefined || present.length > others.length) return
  const { address, prefix } = wanted
  routing.addAddress({ index: bridge.index, address, prefix, scope: universe, broadcast: isIPv6(wanted) ? undefined : broadcastOf(wanted) })
}

function foundLink(routing: Routing, name: string): Link {
  const link = routing.findLink({ name })
  if (link === undefined) throw new EngineError('unavailable', `network interface ${name} is gone`)
  return link
}
