import { Routing } from '@engine/linux/netlink'
import { bridgeAddress, routedNetworks } from './bridge.ts'
import type { Cidr } from './cidr.ts'
import type { Firewall } from './firewall/nftables.ts'
import { bridgeGroup } from './firewall/ruleset.ts'

/** Whether a bridge of this name is there already, whoever made it. */
export function isBridge(name: string): boolean {
  using routing = new Routing()
  return routing.findLink({ name })?.kind === 'bridge'
}

/** Networks that the host's routes lead to: no subnet of ours may touch them. */
export function hostNetworks(): Cidr[] {
  using routing = new Routing()
  return routedNetworks(routing)
}

/** The address of a family that a bridge has which was there before; undefined where there is none. */
export function presentBridgeAddress(name: string, family: 'ipv4' | 'ipv6'): Cidr | undefined {
  using routing = new Routing()
  return bridgeAddress(routing, name, family)
}

/**
 * Takes away a bridge that nothing says anything about but our rules, and those. One that an engine did not make stays.
 */
export async function removeLeftBridge(firewall: Firewall, name: string): Promise<void> {
  using routing = new Routing()
  const link = routing.findLink({ name })
  if (link?.kind === 'bridge' && link.group === bridgeGroup) {
    for (const port of routing.listLinks(link.index)) await routing.deleteLink(port.index)
    await routing.deleteLink(link.index)
  }
  firewall.removeBridge(name)
}
