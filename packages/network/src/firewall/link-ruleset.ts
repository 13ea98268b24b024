import { EngineError } from '@engine/linux'
import { checkedLinkName } from '@engine/linux/netlink'
import { checkedTableName, lines } from './nft-text.ts'

/** A port by which one endpoint reaches another although they are kept apart: Docker's legacy links. */
export interface LinkRule {
  /** Names of the veths' ends on the host. */
  readonly from: string
  readonly to: string
  readonly protocol: string
  readonly port: number
}

/**
 * What is done with frames between endpoints that are kept apart, in chain `kept-apart`: those to a linked port pass, and what comes
 * back from there, but no beginning of a connection; with them what finds the neighbour and says that it cannot be reached.
 * @param priority by which the rules for packets know that a frame has passed here
 */
export function writeLinkFrame(bridge: string, priority: string): string[] {
  const there = 'iifname . oifname . meta l4proto . th'
  const back = 'oifname . iifname . meta l4proto . th'
  const pass = `meta priority set ${priority} accept`
  return [
    `add set ${bridge} linked { type ifname . ifname . inet_proto . inet_service ; }`,
    `add set ${bridge} linked-pairs { type ifname . ifname ; }`,
    `add rule ${bridge} kept-apart iifname . oifname != @linked-pairs drop`,
    `add rule ${bridge} kept-apart meta protocol arp accept`,
    `add rule ${bridge} kept-apart icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept`,
    `add rule ${bridge} kept-apart icmp type destination-unreachable ${pass}`,
    `add rule ${bridge} kept-apart icmpv6 type { destination-unreachable, packet-too-big } ${pass}`,
    `add rule ${bridge} kept-apart ${there} dport @linked ${pass}`,
    `add rule ${bridge} kept-apart tcp flags & (syn | ack) == syn drop`,
    `add rule ${bridge} kept-apart ${back} sport @linked ${pass}`,
    `add rule ${bridge} kept-apart drop`,
  ]
}

/** All links that there are, in the place of those before. Needs the frame. */
export function writeLinks(table: string, links: readonly LinkRule[]): string {
  const bridge = `bridge ${checkedTableName(table)}`
  const elements = links.map(({ from, to, protocol, port }) => {
    if (!/^(tcp|udp|sctp)$/.test(protocol) || !Number.isInteger(port) || port < 0 || port > 65_535) throw new EngineError('invalid-argument', `invalid port of a link: ${port}/${protocol}`)
    return { ports: `${named(from)} . ${named(to)} . ${protocol} . ${port}`, pairs: [`${named(from)} . ${named(to)}`, `${named(to)} . ${named(from)}`] }
  })
  const all = (set: string, values: readonly string[]): string[] => (values.length === 0 ? [] : [`add element ${bridge} ${set} { ${[...new Set(values)].join(', ')} }`])
  return lines(
    `flush set ${bridge} linked`,
    `flush set ${bridge} linked-pairs`,
    ...all('linked', elements.map(({ ports }) => ports)),
    ...all('linked-pairs', elements.flatMap(({ pairs }) => pairs)),
  )
}

function named(link: string): string {
  return `"${checkedLinkName(link)}"`
}
