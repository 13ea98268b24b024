import { EngineError } from '@engine/linux'
import { checkedLinkName, parseIpAddress, parseMacAddress } from '@engine/linux/netlink'
import { formatCidr, networkOf, type Cidr } from '../cidr.ts'

/** What the firewall does for one bridge network. */
export interface BridgeRules {
  readonly bridge: string
  /** The network's subnet; the bridge's own address may stand for it. */
  readonly subnet: Cidr
  /** Containers reach the outside under the host's addresses. */
  readonly masquerade: boolean
  /** Containers of the network reach each other. */
  readonly interContainer: boolean
}

/** What the firewall does for one endpoint. */
export interface EndpointRules {
  /** Name of the veth's end on the host. */
  readonly hostInterface: string
  readonly mac: string
  readonly address: string
  /** Only frames with this MAC and IPv4 address come out of the container. */
  readonly antiSpoofing: boolean
  /** As in the network's rules. */
  readonly interContainer: boolean
}

/** The chain that is there where forwarding was off before us; it is also how that is remembered. */
export const strangersChain = 'strangers'

/**
 * The link group of every engine's bridges (iproute2: `ip link show group N`). By it engines on one host know each other's without
 * a common table: what one of them forwards is no stranger to the other.
 */
export const bridgeGroup = 0x656e6730

/** What names an endpoint's elements. Without MAC and address those that hold them are left alone. */
export interface EndpointIdentity {
  readonly hostInterface: string
  readonly mac?: string | undefined
  readonly address?: string | undefined
}

/**
 * The frame that all rules hang in: two tables of one name, `inet` for routed packets and `bridge` for frames between a
 * bridge's ports. To be applied at any time: chains are emptied and filled again in one transaction, sets keep their elements.
 *
 * ```
 * table inet T                                      table bridge T
 *   forward   to a bridge: jump to its chain          prerouting  frames of an endpoint: its MAC and address, or drop
 *             from a bridge: accept                   forward     between endpoints that are kept apart: drop
 *             else, where guarded, and of no other engine's bridge: strangers
 *   strangers drop
 *   into-B    answers; icc; else drop
 *   out-of-B  masquerade
 * ```
 * An accept here ends only this table's say: another table that drops the packet wins (see findConflicts).
 * @param guarded IPv4 packets that neither come from an engine's bridge nor go to one are not forwarded
 */
export function writeTables(table: string, guarded: boolean): string {
  const inet = `inet ${checkedTableName(table)}`
  const bridge = `bridge ${table}`
  return lines(
    `add table ${inet}`,
    `add map ${inet} bridges { type ifname : verdict ; }`,
    `add set ${inet} sources { type ifname ; }`,
    `add chain ${inet} forward { type filter hook forward priority filter ; policy accept ; }`,
    `flush chain ${inet} forward`,
    `add rule ${inet} forward oifname vmap @bridges`,
    `add rule ${inet} forward iifname @sources accept`,
    ...(guarded
      ? [`add chain ${inet} ${strangersChain}`, `flush chain ${inet} ${strangersChain}`, `add rule ${inet} ${strangersChain} drop`, `add rule ${inet} forward meta nfproto ipv4 iifgroup != ${bridgeGroup} oifgroup != ${bridgeGroup} goto ${strangersChain}`]
      : []),
    `add table ${bridge}`,
    `add set ${bridge} checked { type ifname ; }`,
    `add set ${bridge} addresses { type ifname . ether_addr . ipv4_addr ; }`,
    `add set ${bridge} apart { type ifname ; }`,
    `add chain ${bridge} endpoint`,
    `add chain ${bridge} prerouting { type filter hook prerouting priority dstnat ; policy accept ; }`,
    `add chain ${bridge} forward { type filter hook forward priority filter ; policy accept ; }`,
    `flush chain ${bridge} endpoint`,
    `flush chain ${bridge} prerouting`,
    `flush chain ${bridge} forward`,
    `add rule ${bridge} endpoint iifname . ether saddr . ip saddr @addresses accept`,
    // In ARP the frame's sender and the one that the message claims are looked at: one misleads the bridge, the other neighbours.
    `add rule ${bridge} endpoint iifname . ether saddr . arp saddr ip @addresses iifname . arp saddr ether . arp saddr ip @addresses accept`,
    // IPv6 too: an IPv4 network has none, and its router advertisements are an attack (CVE-2020-13401).
    `add rule ${bridge} endpoint drop`,
    `add rule ${bridge} prerouting iifname @checked goto endpoint`,
    `add rule ${bridge} forward iifname @apart oifname @apart drop`,
  )
}

/** Both tables away, whether they are there or not. */
export function writeTablesRemoval(table: string): string {
  checkedTableName(table)
  return lines(`add table inet ${table}`, `delete table inet ${table}`, `add table bridge ${table}`, `delete table bridge ${table}`)
}

/** A bridge's rules, or a change of them. Needs {@link writeTables} before it. */
export function writeBridge(table: string, rules: BridgeRules): string {
  const inet = `inet ${checkedTableName(table)}`
  const bridge = checkedLinkName(rules.bridge)
  const into = `into-${bridge}`
  const outOf = `out-of-${bridge}`
  const subnet = checkedSubnet(rules.subnet)
  return lines(
    `add chain ${inet} ${into}`,
    `flush chain ${inet} ${into}`,
    `add rule ${inet} ${into} ct state established,related accept`,
    `add rule ${inet} ${into} iifname "${bridge}" ${rules.interContainer ? 'accept' : 'drop'}`,
    // Nobody reaches a container by its address from outside; a published port has its own way in.
    `add rule ${inet} ${into} drop`,
    `add chain ${inet} ${outOf} { type nat hook postrouting priority srcnat ; policy accept ; }`,
    `flush chain ${inet} ${outOf}`,
    ...(rules.masquerade ? [`add rule ${inet} ${outOf} ip saddr ${subnet} oifname != "${bridge}" masquerade`] : []),
    `add element ${inet} bridges { "${bridge}" : goto ${into} }`,
    `add element ${inet} sources { "${bridge}" }`,
  )
}

/** A bridge's rules away, whether they are there or not. Needs {@link writeTables} before it. */
export function writeBridgeRemoval(table: string, name: string): string {
  const inet = `inet ${checkedTableName(table)}`
  const bridge = checkedLinkName(name)
  const into = `into-${bridge}`
  const outOf = `out-of-${bridge}`
  return lines(
    `add chain ${inet} ${into}`,
    `add element ${inet} bridges { "${bridge}" : goto ${into} }`,
    `delete element ${inet} bridges { "${bridge}" : goto ${into} }`,
    `add element ${inet} sources { "${bridge}" }`,
    `delete element ${inet} sources { "${bridge}" }`,
    `flush chain ${inet} ${into}`,
    `delete chain ${inet} ${into}`,
    `add chain ${inet} ${outOf} { type nat hook postrouting priority srcnat ; policy accept ; }`,
    `flush chain ${inet} ${outOf}`,
    `delete chain ${inet} ${outOf}`,
  )
}

/** An endpoint's elements; empty when nothing is to be checked. Adding what is there already changes nothing. */
export function writeEndpoint(table: string, rules: EndpointRules): string {
  const elements = [...(rules.antiSpoofing ? checkedElements(table, rules) : []), ...(rules.interContainer ? [] : apartElements(table, rules))]
  return lines(...elements.map((element) => `add element ${element}`))
}

/** An endpoint's elements away, whether they are there or not: to add first makes the removal of a missing one no error. */
export function writeEndpointRemoval(table: string, rules: EndpointIdentity): string {
  return lines(...[...checkedElements(table, rules), ...apartElements(table, rules)].flatMap((element) => [`add element ${element}`, `delete element ${element}`]))
}

/**
 * A table's name, checked for what nft's grammar takes as a name.
 * @throws EngineError invalid-argument
 */
export function checkedTableName(name: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(name)) throw new EngineError('invalid-argument', `invalid nftables table name: ${JSON.stringify(name)}`)
  return name
}

function checkedElements(table: string, rules: EndpointIdentity): string[] {
  const { link, bridge } = places(table, rules)
  const { mac, address } = rules
  if (mac === undefined || address === undefined) return [`${bridge} checked { ${link} }`]
  parseMacAddress(mac)
  parseIpAddress(address)
  return [`${bridge} addresses { ${link} . ${mac} . ${address} }`, `${bridge} checked { ${link} }`]
}

function apartElements(table: string, rules: EndpointIdentity): string[] {
  const { link, bridge } = places(table, rules)
  return [`${bridge} apart { ${link} }`]
}

function places(table: string, rules: EndpointIdentity): { bridge: string; link: string } {
  return { bridge: `bridge ${checkedTableName(table)}`, link: `"${checkedLinkName(rules.hostInterface)}"` }
}

function checkedSubnet(subnet: Cidr): string {
  parseIpAddress(subnet.address)
  return formatCidr(networkOf(subnet))
}

function lines(...text: readonly string[]): string {
  return text.map((line) => `${line}\n`).join('')
}
