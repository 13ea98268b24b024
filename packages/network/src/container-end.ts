import { constants, openSync } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { Descriptor } from '@engine/linux/descriptor'
import { AddressFamily, Routing } from '@engine/linux/netlink'
import { inNetworkNamespace } from '@engine/linux/setns'
import { primeThreads } from '@engine/linux/unshare'
import { broadcastOf, isIPv6, type Cidr } from './cidr.ts'
import { applyEndpointSysctls } from './endpoint-sysctls.ts'
import { disableIPv6, enableIPv6, ignoreRouterAdvertisements } from './ipv6.ts'

const universe = 0
const linkScope = 253

/** What a link gets in its sandbox. */
export interface ContainerEndSettings {
  /** `eth0` */
  readonly containerInterface: string
  /** With the prefix lengths of their networks. */
  readonly addresses: readonly Cidr[]
  /** Where default routes lead through this link. */
  readonly gateways: Gateways
  /** Kernel parameters with `IFNAME` in the link's place. */
  readonly sysctls?: Readonly<Record<string, string>> | undefined
}

/** Addresses of routers; none of a family for no default route. */
export interface Gateways {
  readonly ipv4?: string | undefined
  readonly ipv6?: string | undefined
}

/** A default route: by a router, or, where the link itself knows the way (ipvlan in mode l3), by the link alone. */
export interface DefaultRoute {
  readonly containerInterface: string
  readonly gateway?: string | undefined
}

/** Gives a link of this thread's namespace, the sandbox's, all that it needs, and turns it on. */
export function configureContainerEnd(settings: ContainerEndSettings): void {
  const { containerInterface: name, addresses, gateways, sysctls = {} } = settings
  if (addresses.some(isIPv6)) {
    enableIPv6(name)
    ignoreRouterAdvertisements(name)
  } else disableIPv6(name)
  using routing = new Routing()
  const link = routing.findLink({ name })
  if (link === undefined) throw new EngineError('unavailable', `network interface ${name} is gone`)
  for (const cidr of addresses) {
    routing.addAddress({ index: link.index, ...cidr, scope: cidr.address.startsWith('169.254.') ? linkScope : universe, broadcast: isIPv6(cidr) || cidr.prefix > 30 ? undefined : broadcastOf(cidr) })
  }
  applyEndpointSysctls(name, sysctls)
  routing.setLink({ index: link.index, up: true })
  for (const gateway of [gateways.ipv4, gateways.ipv6]) if (gateway !== undefined) routing.addRoute({ index: link.index, gateway, scope: universe })
}

/**
 * Makes the default routes of a sandbox what they shall be, and takes those of a family away that shall have none.
 * @param sandbox path of the sandbox; nothing happens when it is gone
 */
export async function setDefaultRoutes(sandbox: string, routes: { readonly ipv4?: DefaultRoute | undefined; readonly ipv6?: DefaultRoute | undefined }): Promise<void> {
  await primeThreads()
  using namespace = openSandbox(sandbox)
  inNetworkNamespace(namespace.fd, () => {
    using routing = new Routing()
    setDefaultRoute(routing, routes.ipv4, false)
    setDefaultRoute(routing, routes.ipv6, true)
  })
}

function setDefaultRoute(routing: Routing, route: DefaultRoute | undefined, ipv6: boolean): void {
  const link = route === undefined ? undefined : routing.findLink({ name: route.containerInterface })
  const present = defaultRoutes(routing, ipv6)
  if (link !== undefined && present.length === 1 && present[0]?.index === link.index && present[0]?.gateway === route?.gateway) return
  for (const { index, gateway } of present) if (index !== undefined) routing.deleteRoute({ index, ipv6, scope: gateway === undefined ? linkScope : universe, ...(gateway === undefined ? {} : { gateway }) })
  if (link === undefined || route === undefined) return
  routing.addRoute({ index: link.index, ipv6, scope: route.gateway === undefined ? linkScope : universe, ...(route.gateway === undefined ? {} : { gateway: route.gateway }) })
}

/** Default routes of the main table; a kernel without IPv6 has none of it. */
function defaultRoutes(routing: Routing, ipv6: boolean): ReturnType<Routing['listRoutes']> {
  const mainTable = 254
  const unicast = 1
  try {
    return routing.listRoutes(ipv6 ? AddressFamily.IPv6 : AddressFamily.IPv4).filter(({ destination, table, type }) => destination === undefined && table === mainTable && type === unicast)
  } catch (error) {
    if (failedWith(error, Errno.EOPNOTSUPP)) return []
    throw error
  }
}

/** A descriptor of a sandbox. @throws EngineError not-found */
export function openSandbox(path: string): Descriptor {
  try {
    return new Descriptor(openSync(path, constants.O_RDONLY))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw new EngineError('not-found', `network sandbox ${path} is gone`, { cause })
    throw cause
  }
}
