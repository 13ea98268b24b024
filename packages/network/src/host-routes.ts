import { closeSync, openSync } from 'node:fs'
import { Errno, SyscallError } from '@engine/linux'
import { AddressFamily, mainTable, Routing, type Route, type RoutingRule } from '@engine/linux/netlink'
import { inNetworkNamespace } from '@engine/linux/setns'
import { readSysctl } from '@engine/linux/sysctl'
import { primeThreads } from '@engine/linux/unshare'
import { contains, formatCidr } from './cidr.ts'

const localTable = 255
const localType = 2
const throwType = 9
const refusals = new Map([[6, 'blackhole'], [7, 'unreachable'], [8, 'prohibit']])

/** Where packets to an address leave a namespace. */
export interface FoundRoute {
  /** Name of the link. */
  readonly link: string
  readonly gateway: string | undefined
  /** The address is the namespace's own. */
  readonly local: boolean
  /** The rule of policy routing that led to it, where it is not one of those that every host has. */
  readonly rule: string | undefined
}

/** Why a packet has no way. */
export interface NoRoute {
  /** In words that name the rule, route or setting. */
  readonly refused: string
}

/** A packet whose way is looked for. */
export interface RoutedPacket {
  readonly address: string
  readonly source?: string | undefined
  /** Name of the link that it comes in by; left out, it is sent here. */
  readonly iif?: string | undefined
}

/**
 * The route that the kernel takes for a packet, in this thread's network namespace or in a sandbox, by all rules of policy routing.
 * @param sandbox path of it
 */
export async function findRoute(packet: RoutedPacket, sandbox?: string): Promise<FoundRoute | NoRoute> {
  if (sandbox === undefined) return lookUp(packet)
  await primeThreads()
  const fd = openSync(sandbox, 'r')
  try {
    return inNetworkNamespace(fd, () => lookUp(packet))
  } finally {
    closeSync(fd)
  }
}

function lookUp(packet: RoutedPacket): FoundRoute | NoRoute {
  using routing = new Routing()
  const from = packet.iif === undefined ? undefined : routing.findLink({ name: packet.iif })?.index
  let route: Route
  try {
    route = routing.lookUpRoute({ destination: packet.address, source: packet.source, from })
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    return { refused: whyNot(routing, packet, error.errno) }
  }
  const link = route.index === undefined ? undefined : routing.findLink({ index: route.index })
  if (refusals.has(route.type) || link === undefined) return { refused: whyNot(routing, packet) }
  const rule = route.table === mainTable || route.table === localTable ? undefined : deciding(routing, packet)?.rule
  return { link: link.name, gateway: route.gateway, local: route.type === localType, rule: rule === undefined ? undefined : describe(rule) }
}

/** What keeps a packet from having a way. */
function whyNot(routing: Routing, packet: RoutedPacket, errno?: number): string {
  const { address, source, iif } = packet
  if (errno === Errno.EXDEV) return `nothing from ${source} is taken in by ${iif}: the host has no route back that way (rp_filter)`
  const found = deciding(routing, packet)
  if (found !== undefined && found.route === undefined) return `routing rule "${describe(found.rule)}" refuses it`
  const refusal = found?.route === undefined ? undefined : refusals.get(found.route.type)
  if (found?.route !== undefined && refusal !== undefined) return `route "${refusal} ${destinationOf(found.route)}" of table ${found.rule.table} refuses it, by routing rule "${describe(found.rule)}"`
  if (iif !== undefined && !forwards(address)) return 'the host forwards nothing: net.ipv4.ip_forward or net.ipv6.conf.all.forwarding is off'
  return `there is no route to ${address}`
}

/** The first rule that decides about a packet: by refusing it, or by a route of its table. */
function deciding(routing: Routing, packet: RoutedPacket): { readonly rule: RoutingRule; readonly route?: Route } | undefined {
  const family = packet.address.includes(':') ? AddressFamily.IPv6 : AddressFamily.IPv4
  const routes = routing.listRoutes(family)
  for (const rule of routing.listRules(family)) {
    if (!isFor(rule, packet)) continue
    if (rule.action === 'blackhole' || rule.action === 'unreachable' || rule.action === 'prohibit') return { rule }
    const [route] = routes
      .filter(({ table, destination }) => table === rule.table && (destination === undefined || contains(destination, packet.address)))
      .sort((a, b) => (b.destination?.prefix ?? 0) - (a.destination?.prefix ?? 0))
    if (rule.action === 'lookup' && route !== undefined && route.type !== throwType) return { rule, route }
  }
  return undefined
}

/** Whether a rule is for a packet. Marks and the link by which programs of the host send are not known here. */
function isFor({ source, destination, iif, oif, mark, inverted }: RoutingRule, packet: RoutedPacket): boolean {
  if (oif !== undefined || (mark !== undefined && mark !== 0)) return false
  const matches =
    (source === undefined || (packet.source !== undefined && contains(source, packet.source))) &&
    (destination === undefined || contains(destination, packet.address)) &&
    (iif === undefined || iif === (packet.iif ?? 'lo'))
  return matches !== inverted
}

/** As `ip rule` shows it. */
function describe({ priority, inverted, source, destination, iif, action, table }: RoutingRule): string {
  const parts = [source === undefined ? 'from all' : `from ${formatCidr(source)}`, ...(destination === undefined ? [] : [`to ${formatCidr(destination)}`]), ...(iif === undefined ? [] : [`iif ${iif}`])]
  return `${priority}: ${inverted ? 'not ' : ''}${parts.join(' ')} ${action}${action === 'lookup' ? ` ${table}` : ''}`
}

function destinationOf({ destination }: Route): string {
  return destination === undefined ? 'default' : formatCidr(destination)
}

function forwards(address: string): boolean {
  return readSysctl(address.includes(':') ? 'net/ipv6/conf/all/forwarding' : 'net/ipv4/ip_forward').trim() === '1'
}
