import { AddressFamily, Routing, type Route } from '@engine/linux/netlink'

/** Name of the link by which the host reaches the outside; undefined when it has no default route. */
export function uplink(family: 'ipv4' | 'ipv6' = 'ipv4'): string | undefined {
  using routing = new Routing()
  const index = defaultRoute(routing, family)?.index
  return index === undefined ? undefined : routing.findLink({ index })?.name
}

/** The router there; undefined when the default route names none. */
export function uplinkGateway(family: 'ipv4' | 'ipv6'): string | undefined {
  using routing = new Routing()
  return defaultRoute(routing, family)?.gateway
}

function defaultRoute(routing: Routing, family: 'ipv4' | 'ipv6'): Route | undefined {
  return routing.listRoutes(family === 'ipv4' ? AddressFamily.IPv4 : AddressFamily.IPv6).find(({ destination, index }) => destination === undefined && index !== undefined)
}
