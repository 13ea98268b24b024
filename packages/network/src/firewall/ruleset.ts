import { checkedLinkName, parseIpAddress } from '@engine/linux/netlink'
import { formatCidr, isIPv6, networkOf, type Cidr } from '../cidr.ts'
import { writeLinkFrame } from './link-ruleset.ts'
import { checkedTableName, lines } from './nft-text.ts'

/** What the firewall does for one bridge network. */
export interface BridgeRules {
  readonly bridge: string
  /** The network's subnets, at most one of each family. */
  readonly subnets: readonly SubnetRules[]
  /** Containers of the network reach each other. */
  readonly interContainer: boolean
  /** Nothing goes from the network to elsewhere, nor comes in from there. */
  readonly internal: boolean
  /** Links from where containers are reached by their own addresses. */
  readonly trusted: readonly string[]
}

/**
 * How containers are reached from outside, as Docker names it: `nat` by published ports only, `nat-unprotected` by any port too,
 * `routed` by their own addresses, at published ports, without translation, `isolated` not at all, not even by the host.
 */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated'

/** One subnet of a bridge network. */
export interface SubnetRules {
  /** The bridge's own address may stand for it. */
  readonly subnet: Cidr
  /** Containers reach the outside under the host's addresses. */
  readonly masquerade: boolean
  /** The address of the host's that they go out under; left out, the one that the host would take. */
  readonly source?: string | undefined
  readonly mode: GatewayMode
}

/** The chain that is there where forwarding was off before us; it is also how that is remembered. */
export const strangersChain = 'strangers'
/** The same of IPv6. */
export const strangersChain6 = 'strangers6'

/**
 * The link group of every engine's bridges (iproute2: `ip link show group N`). By it engines on one host know each other's without
 * a common table: what one of them forwards is no stranger to the other.
 */
export const bridgeGroup = 0x656e6730

/**
 * A packet priority (tc(8): a class that nobody has) by which rules of one table tell those of the other that a frame was led by a
 * published port. Where br_netfilter is loaded, as by Docker, a frame that is led to a neighbour is not routed but sent on by the
 * bridge. Not the mark: policy routing reads that.
 */
const publishedPriority = '0xeeee6e67'
/** The same for a frame that a link lets through, from the table of frames to the one of packets. */
const linkedPriority = '0xeeee6e6c'

/**
 * The frame that all rules hang in: two tables of one name, `inet` for routed packets and `bridge` for frames between a
 * bridge's ports. To be applied at any time: chains are emptied and filled again in one transaction, sets keep their elements.
 *
 * ```
 * table inet T                                      table bridge T
 *   published-apart  from a bridge, for a published port: marks the frame
 *   forward   from an internal bridge: its chain      prerouting  frames of an endpoint: its MAC and addresses, or drop
 *             to a bridge: jump to its chain          forward     between endpoints that are kept apart: apart
 *             from a bridge: accept
 *             else, where guarded, and of no other engine's bridge: strangers
 *   strangers drop
 *   into-B    answers; icc; else drop
 *   only-in-B leaves the bridge B: drop
 *   out-of-B  masquerade                              apart       what a link opens; else drop
 * ```
 * An accept here ends only this table's say: another table that drops the packet wins (see findConflicts).
 * @param guarded IPv4 packets that neither come from an engine's bridge nor go to one are not forwarded
 * @param guarded6 the same of IPv6
 */
export function writeTables(table: string, guarded: boolean, guarded6 = false): string {
  const inet = `inet ${checkedTableName(table)}`
  const bridge = `bridge ${table}`
  return lines(
    `add table ${inet}`,
    `add map ${inet} bridges { type ifname : verdict ; }`,
    `add set ${inet} sources { type ifname ; }`,
    `add chain ${inet} published-apart { type filter hook prerouting priority -90 ; policy accept ; }`,
    `flush chain ${inet} published-apart`,
    `add rule ${inet} published-apart ct status dnat iifname @sources meta priority set ${publishedPriority}`,
    `add chain ${inet} forward { type filter hook forward priority filter ; policy accept ; }`,
    `flush chain ${inet} forward`,
    `add map ${inet} internal { type ifname : verdict ; }`,
    `add rule ${inet} forward iifname vmap @internal`,
    `add rule ${inet} forward oifname vmap @bridges`,
    `add rule ${inet} forward iifname @sources accept`,
    ...(guarded ? writeGuard(inet, strangersChain, 'ipv4') : []),
    ...(guarded6 ? writeGuard(inet, strangersChain6, 'ipv6') : []),
    `add table ${bridge}`,
    `add set ${bridge} checked { type ifname ; }`,
    `add set ${bridge} addresses { type ifname . ether_addr . ipv4_addr ; }`,
    `add set ${bridge} addresses6 { type ifname . ether_addr . ipv6_addr ; }`,
    // Addresses that a neighbour advertisement tells of: what nft calls them depends on its version, their place does not.
    `add set ${bridge} targets { typeof iifname . ether saddr . @th,64,128 ; }`,
    `add set ${bridge} apart { type ifname ; }`,
    `add chain ${bridge} kept-apart`,
    `flush chain ${bridge} kept-apart`,
    `add chain ${bridge} endpoint`,
    `add chain ${bridge} prerouting { type filter hook prerouting priority dstnat ; policy accept ; }`,
    `add chain ${bridge} forward { type filter hook forward priority filter ; policy accept ; }`,
    `flush chain ${bridge} endpoint`,
    `flush chain ${bridge} prerouting`,
    `flush chain ${bridge} forward`,
    // In ARP the frame's sender and the one that the message claims are looked at: one misleads the bridge, the other neighbours.
    `add rule ${bridge} endpoint iifname . ether saddr . arp saddr ip @addresses iifname . arp saddr ether . arp saddr ip @addresses accept`,
    // Nobody is a router but the bridge (CVE-2020-13401); who tells of an address of another's takes its packets.
    `add rule ${bridge} endpoint icmpv6 type { nd-router-advert, nd-redirect } drop`,
    `add rule ${bridge} endpoint icmpv6 type nd-neighbor-advert iifname . ether saddr . @th,64,128 != @targets drop`,
    `add rule ${bridge} endpoint iifname . ether saddr . ip6 saddr @addresses6 accept`,
    // Everything else too: IPv6 where the network has none, and whatever is neither.
    `add rule ${bridge} endpoint drop`,
    // One search for nearly all frames. (Their priority is 0: a veth lets none through, include/linux/netdevice.h, ____dev_forward_skb.)
    `add rule ${bridge} prerouting iifname . ether saddr . ip saddr @addresses accept`,
    `add rule ${bridge} prerouting iifname @checked goto endpoint`,
    `add rule ${bridge} forward meta priority ${publishedPriority} accept`,
    `add rule ${bridge} forward iifname @apart oifname @apart goto kept-apart`,
    ...writeLinkFrame(bridge, linkedPriority),
  )
}

function writeGuard(inet: string, chain: string, family: 'ipv4' | 'ipv6'): string[] {
  return [
    `add chain ${inet} ${chain}`,
    `flush chain ${inet} ${chain}`,
    `add rule ${inet} ${chain} drop`,
    `add rule ${inet} forward meta nfproto ${family} iifgroup != ${bridgeGroup} oifgroup != ${bridgeGroup} goto ${chain}`,
  ]
}

/** Both tables away, whether they are there or not. */
export function writeTablesRemoval(table: string): string {
  checkedTableName(table)
  return lines(`add table inet ${table}`, `delete table inet ${table}`, `add table bridge ${table}`, `delete table bridge ${table}`)
}

/** A bridge's rules, or a change of them. Needs {@link writeTables} and writePortFrame before it. */
export function writeBridge(table: string, rules: BridgeRules): string {
  const inet = `inet ${checkedTableName(table)}`
  const bridge = checkedLinkName(rules.bridge)
  const into = `into-${bridge}`
  const outOf = `out-of-${bridge}`
  const onlyIn = `only-in-${bridge}`
  const { internal, subnets } = rules
  return lines(
    `add chain ${inet} ${into}`,
    `flush chain ${inet} ${into}`,
    `add rule ${inet} ${into} ct state established,related accept`,
    // Published ports; also from containers that are kept apart: this way is open to everybody.
    `add rule ${inet} ${into} ct status dnat accept`,
    ...(rules.interContainer ? [] : [`add rule ${inet} ${into} iifname "${bridge}" meta priority ${linkedPriority} accept`]),
    `add rule ${inet} ${into} iifname "${bridge}" ${rules.interContainer ? 'accept' : 'drop'}`,
    ...(internal ? [] : [...rules.trusted.map((link) => `add rule ${inet} ${into} iifname "${checkedLinkName(link)}" accept`), ...subnets.flatMap((one) => writeEntry(`${inet} ${into}`, one))]),
    // Nobody reaches a container by its address from outside; a published port has its own way in.
    `add rule ${inet} ${into} drop`,
    `add chain ${inet} ${onlyIn}`,
    `flush chain ${inet} ${onlyIn}`,
    `add rule ${inet} ${onlyIn} oifname != "${bridge}" drop`,
    `add element ${inet} internal { "${bridge}" : jump ${onlyIn} }`,
    ...(internal ? [] : [`delete element ${inet} internal { "${bridge}" : jump ${onlyIn} }`]),
    `add chain ${inet} ${outOf} { type nat hook postrouting priority srcnat ; policy accept ; }`,
    `flush chain ${inet} ${outOf}`,
    ...(internal ? [] : subnets.flatMap((one) => writeExit(`${inet} ${outOf}`, bridge, one))),
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
  const onlyIn = `only-in-${bridge}`
  return lines(
    `add chain ${inet} ${into}`,
    `add element ${inet} bridges { "${bridge}" : goto ${into} }`,
    `delete element ${inet} bridges { "${bridge}" : goto ${into} }`,
    `add element ${inet} sources { "${bridge}" }`,
    `delete element ${inet} sources { "${bridge}" }`,
    `flush chain ${inet} ${into}`,
    `delete chain ${inet} ${into}`,
    `add chain ${inet} ${onlyIn}`,
    `add element ${inet} internal { "${bridge}" : jump ${onlyIn} }`,
    `delete element ${inet} internal { "${bridge}" : jump ${onlyIn} }`,
    `flush chain ${inet} ${onlyIn}`,
    `delete chain ${inet} ${onlyIn}`,
    `add chain ${inet} ${outOf} { type nat hook postrouting priority srcnat ; policy accept ; }`,
    `flush chain ${inet} ${outOf}`,
    `delete chain ${inet} ${outOf}`,
  )
}

/** What of a subnet is reached by its own addresses. */
function writeEntry(chain: string, { subnet, mode }: SubnetRules): string[] {
  const family = isIPv6(subnet) ? 'ipv6' : 'ipv4'
  if (mode === 'nat-unprotected') return [`add rule ${chain} meta nfproto ${family} accept`]
  if (mode !== 'routed') return []
  const [ip, icmp, published] = isIPv6(subnet) ? ['ip6', 'icmpv6', 'routed6'] : ['ip', 'icmp', 'routed4']
  return [`add rule ${chain} meta nfproto ${family} meta l4proto ${icmp} accept`, `add rule ${chain} ${ip} daddr . meta l4proto . th dport @${published} accept`]
}

/** Under which address what leaves a subnet goes out. */
function writeExit(chain: string, bridge: string, { subnet, mode, masquerade, source }: SubnetRules): string[] {
  if (!masquerade || mode === 'routed' || mode === 'isolated') return []
  const ip = isIPv6(subnet) ? 'ip6' : 'ip'
  if (source !== undefined) parseIpAddress(source)
  const under = source === undefined ? 'masquerade' : `snat ${ip} to ${source}`
  return [`add rule ${chain} ${ip} saddr ${checkedSubnet(subnet)} oifname != "${bridge}" ${under}`]
}

function checkedSubnet(subnet: Cidr): string {
  parseIpAddress(subnet.address)
  return formatCidr(networkOf(subnet))
}
