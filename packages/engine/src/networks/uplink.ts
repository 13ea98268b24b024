import { Routing } from '@engine/linux/netlink'

/** Name of the link by which the host reaches the outside; undefined when it has no default route. */
export function uplink(): string | undefined {
  using routing = new Routing()
  const index = routing.listRoutes().find(({ destination, index: link }) => destination === undefined && link !== undefined)?.index
  return index === undefined ? undefined : routing.findLink({ index })?.name
}
