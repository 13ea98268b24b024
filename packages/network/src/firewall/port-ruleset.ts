import { isIPv6 } from 'node:net'
import { EngineError } from '@engine/linux'
import { checkedLinkName, parseIpAddress } from '@engine/linux/netlink'
import { formatCidr, networkOf, type Cidr } from '../cidr.ts'
import { isRelayed, isRouted, isUnspecified, needsRelay, portRuns, type PortRun, type PublishedPort } from '../ports/published-port.ts'
import { checkedTableName } from './nft-text.ts'

const loopback6 = '::1'
/** Everything that holds a published port, in the order in which it is laid. */
const holders = ['any4', 'at4', 'ranges4', 'any6', 'at6', 'ranges6', 'relayed', 'relayed-loopback', 'relayed-ranges', 'relayed-loopback-ranges', 'relayed-at', 'routed4', 'routed6'] as const
/** The sets that hold bridges, with their subnets and the host's loopback. */
export const hairpinSets = ['hairpins', 'hairpins6'] as const
/** How a packet is told that the relay takes. */
const relayMatches = [
  'tcp dport @relayed',
  'tcp dport @relayed-ranges',
  `ip6 daddr ${loopback6} tcp dport @relayed-loopback`,
  `ip6 daddr ${loopback6} tcp dport @relayed-loopback-ranges`,
  'ip6 daddr . tcp dport @relayed-at',
]
type Holder = (typeof holders)[number]

/**
 * The frame that published ports hang in, in the table `inet T` of {@link writeTables}: maps from ports of the host to places of
 * containers, and one rule for each map however many ports there are. To be applied at any time; the maps keep their elements.
 *
 * ```
 *   any4, any6        a port of every address → a container's address and port    (hash)
 *   at4, at6          a port of one address → the same                            (hash)
 *   ranges4, ranges6  runs of ports that keep their number → a container's address (one element for a run)
 *   relayed…          ports of TCP that the relay serves: IPv6 to a container that has IPv4 only, and ::1
 *   routed4, routed6  places of containers that are reached by their own addresses
 *   hairpins          links and sources whose answers must come back by the host: masqueraded
 * ```
 * @param relay port at which the relay listens; undefined when there is none
 */
export function writePortFrame(table: string, relay: number | undefined): string {
  const inet = `inet ${checkedTableName(table)}`
  const rule = (chain: string, text: string): string => `add rule ${inet} ${chain} ${text}`
  const redirect = relay === undefined ? [] : relayMatches
  return lines(
    `add map ${inet} any4 { type inet_proto . inet_service : ipv4_addr . inet_service ; }`,
    `add map ${inet} at4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service ; }`,
    `add map ${inet} ranges4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr ; flags interval ; }`,
    `add map ${inet} any6 { type inet_proto . inet_service : ipv6_addr . inet_service ; }`,
    `add map ${inet} at6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service ; }`,
    `add map ${inet} ranges6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr ; flags interval ; }`,
    // Sets of intervals become slow with many elements (libnftables reads them whole for each change): lone ports have their own.
    `add set ${inet} relayed { type inet_service ; }`,
    `add set ${inet} relayed-loopback { type inet_service ; }`,
    `add set ${inet} relayed-ranges { type inet_service ; flags interval ; }`,
    `add set ${inet} relayed-loopback-ranges { type inet_service ; flags interval ; }`,
    `add set ${inet} relayed-at { type ipv6_addr . inet_service ; flags interval ; }`,
    `add set ${inet} routed4 { type ipv4_addr . inet_proto . inet_service ; }`,
    `add set ${inet} routed6 { type ipv6_addr . inet_proto . inet_service ; }`,
    `add set ${inet} hairpins { type ifname . ipv4_addr ; flags interval ; }`,
    `add set ${inet} hairpins6 { type ifname . ipv6_addr ; flags interval ; }`,
    `add chain ${inet} published`,
    `add chain ${inet} published6`,
    `add chain ${inet} published-outside { type nat hook prerouting priority dstnat ; policy accept ; }`,
    `add chain ${inet} published-inside { type nat hook output priority -100 ; policy accept ; }`,
    `add chain ${inet} published-back { type nat hook postrouting priority srcnat ; policy accept ; }`,
    `add chain ${inet} loopback { type filter hook prerouting priority raw ; policy accept ; }`,
    ...['published', 'published6', 'published-outside', 'published-inside', 'published-back', 'loopback'].map((chain) => `flush chain ${inet} ${chain}`),
    rule('published', 'dnat ip to ip daddr . meta l4proto . th dport map @at4'),
    rule('published', 'dnat ip to meta l4proto . th dport map @any4'),
    rule('published', 'dnat ip to ip daddr . meta l4proto . th dport map @ranges4'),
    ...redirect.map((match) => rule('published6', `${match} redirect to :${relay}`)),
    rule('published6', `ip6 daddr ${loopback6} return`),
    rule('published6', 'dnat ip6 to ip6 daddr . meta l4proto . th dport map @at6'),
    rule('published6', 'dnat ip6 to meta l4proto . th dport map @any6'),
    rule('published6', 'dnat ip6 to ip6 daddr . meta l4proto . th dport map @ranges6'),
    // What comes over a wire for a loopback address is somebody's attempt at what is published for the host alone.
    rule('published-outside', 'ip daddr 127.0.0.0/8 return'),
    rule('published-outside', `ip6 daddr ${loopback6} return`),
    rule('published-outside', 'meta nfproto ipv4 fib daddr type local jump published'),
    rule('published-outside', 'meta nfproto ipv6 fib daddr type local jump published6'),
    rule('published-inside', 'meta nfproto ipv4 fib daddr type local jump published'),
    rule('published-inside', 'meta nfproto ipv6 fib daddr type local jump published6'),
    rule('published-back', 'ct status dnat oifname . ip saddr @hairpins masquerade'),
    rule('published-back', 'ct status dnat oifname . ip6 saddr @hairpins6 masquerade'),
    // The bridges route loopback addresses, for ports that are published there; only this keeps the host's own services from containers (CVE-2020-8558).
    // The address comes first: hardly any packet has such a one, and none needs the search for its link.
    rule('loopback', 'ip daddr 127.0.0.0/8 iifname @sources drop'),
    rule('loopback', 'ip saddr 127.0.0.0/8 iifname @sources drop'),
  )
}

/** What a bridge needs for ports that its containers publish: who comes from it, or from the host's loopback, is answered by the host. */
export function writePortBridge(table: string, bridge: string, subnets: readonly Cidr[]): string {
  return lines(...bridgeElements(table, bridge, subnets).map((element) => `add element ${element}`))
}

/** The same away, whether it is there or not. */
export function writePortBridgeRemoval(table: string, bridge: string, subnets: readonly Cidr[]): string {
  return lines(...bridgeElements(table, bridge, subnets).flatMap((element) => [`add element ${element}`, `delete element ${element}`]))
}

/** Published ports' elements. A map that holds a port of these already, for another place, makes the transaction fail. */
export function writePorts(table: string, ports: readonly PublishedPort[]): string {
  return lines(...elementsOf(table, ports).map((element) => `add element ${element}`))
}

/** The same away, whether they are there or not. */
export function writePortsRemoval(table: string, ports: readonly PublishedPort[]): string {
  return lines(...elementsOf(table, ports).flatMap((element) => [`add element ${element}`, `delete element ${element}`]))
}

/** Takes all published ports away. */
export function writePortsFlush(table: string): string {
  const inet = `inet ${checkedTableName(table)}`
  return lines(...holders.map((holder) => `flush ${/^(relayed|routed)/.test(holder) ? 'set' : 'map'} ${inet} ${holder}`))
}

function bridgeElements(table: string, name: string, subnets: readonly Cidr[]): string[] {
  const inet = `inet ${checkedTableName(table)}`
  const bridge = checkedLinkName(name)
  const own = subnets.map((subnet) => {
    parseIpAddress(subnet.address)
    return isIPv6(subnet.address) ? `${inet} hairpins6 { "${bridge}" . ${formatCidr(networkOf(subnet))} }` : `${inet} hairpins { "${bridge}" . ${formatCidr(networkOf(subnet))} }`
  })
  // What was read from the tables has the loopback too.
  return [...new Set([`${inet} hairpins { "${bridge}" . 127.0.0.0/8 }`, ...own])]
}

/** Elements, those of one map together: a range of ten thousand that keep their numbers is one. */
function elementsOf(table: string, ports: readonly PublishedPort[]): string[] {
  const inet = `inet ${checkedTableName(table)}`
  const byHolder = new Map<Holder, string[]>()
  const put = (holder: Holder, element: string): void => {
    const elements = byHolder.get(holder)
    if (elements === undefined) byHolder.set(holder, [element])
    else elements.push(element)
  }
  const published = ports.filter(({ containerPort }) => containerPort !== 0)
  for (const port of published.filter(isRouted)) put(isIPv6(port.target) ? 'routed6' : 'routed4', routedElementOf(port))
  const usable = published.filter((port) => !isRouted(port))
  for (const run of portRuns(usable.filter((port) => !isRelayed(port) && port.hostAddress !== loopback6))) put(holderOf(run), elementOf(run))
  // The relay finds the container's port by itself.
  const relayed = usable.filter((port) => port.protocol === 'tcp' && needsRelay(port)).map((port) => ({ ...port, containerPort: port.hostPort }))
  for (const run of portRuns(relayed)) put(relayHolderOf(run), relayElementOf(run))
  return [...byHolder].map(([holder, elements]) => `${inet} ${holder} { ${elements.join(', ')} }`)
}

function routedElementOf({ target, protocol, containerPort }: PublishedPort): string {
  parseIpAddress(target)
  checkPort(containerPort)
  return `${target} . ${protocol} . ${containerPort}`
}

function holderOf({ hostAddress, hostPort, last }: PortRun): Holder {
  const family = isIPv6(hostAddress) ? 6 : 4
  return last > hostPort ? `ranges${family}` : isUnspecified(hostAddress) ? `any${family}` : `at${family}`
}

function elementOf(run: PortRun): string {
  const { protocol, hostAddress, hostPort, last, containerPort, target } = run
  checkPlace(run)
  if (last > hostPort) return `${isUnspecified(hostAddress) ? `${hostAddress}/0` : hostAddress} . ${protocol} . ${hostPort}-${last} : ${target}`
  return `${isUnspecified(hostAddress) ? '' : `${hostAddress} . `}${protocol} . ${hostPort} : ${target} . ${containerPort}`
}

/** The relay takes all that comes over IPv6 for a container without it, and of others what comes from ::1: the kernel lets that leave by no other link. */
function relayHolderOf(run: PortRun): Holder {
  const { hostAddress, hostPort, last } = run
  const loopbackOnly = hostAddress === loopback6 || (!isRelayed(run) && isUnspecified(hostAddress))
  if (!loopbackOnly && !isUnspecified(hostAddress)) return 'relayed-at'
  return `relayed${loopbackOnly ? '-loopback' : ''}${last > hostPort ? '-ranges' : ''}`
}

function relayElementOf(run: PortRun): string {
  checkPlace(run)
  const service = run.last > run.hostPort ? `${run.hostPort}-${run.last}` : String(run.hostPort)
  return relayHolderOf(run) === 'relayed-at' ? `${run.hostAddress} . ${service}` : service
}

function checkPlace({ hostAddress, target, hostPort, last, containerPort }: PortRun): void {
  for (const address of [hostAddress, target]) parseIpAddress(address)
  for (const port of [hostPort, last, containerPort]) checkPort(port)
}

function checkPort(port: number): void {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new EngineError('invalid-argument', `invalid port: ${port}`)
}

function lines(...text: readonly string[]): string {
  return text.map((line) => `${line}\n`).join('')
}
