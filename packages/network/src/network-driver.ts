import type { DefaultRoute } from './container-end.ts'
import { macAddressFor, type AddressPool } from './ipam.ts'

/** What a container has of a network; kept by the engine from allocation to release. */
export interface EndpointLease {
  /** Name of the veth's end on the host: `veth1a2b3c4`. Free, or the endpoint's own of before a crash. '' where there is no such end. */
  readonly hostInterface: string
  /** Name of the end in the sandbox: `eth0`. */
  readonly containerInterface: string
  /** IPv4, without prefix length: `172.17.0.2`; undefined on networks without it. */
  readonly address?: string | undefined
  /** IPv6, the same. */
  readonly address6?: string | undefined
  /** Further addresses (`--link-local-ip`). */
  readonly linkLocal?: readonly string[] | undefined
  readonly mac: string
  /** Only frames with this MAC and these addresses come out of the container. */
  readonly antiSpoofing: boolean
  /** Kernel parameters of the link, with `IFNAME` in its place. */
  readonly sysctls?: Readonly<Record<string, string>> | undefined
}

/** Of which families a sandbox's default routes lead through an endpoint. */
export interface DefaultRouteChoice {
  readonly ipv4: boolean
  readonly ipv6: boolean
}

/** A network that containers are connected to by a link of their own, whatever kind it is. */
export interface ConnectableNetwork {
  /** The addresses that containers get; undefined without that family. */
  pool(): AddressPool | undefined
  pool6(): AddressPool | undefined
  /** How packets leave through an endpoint; undefined when there is no way out of the network in that family. */
  defaultRoute(lease: EndpointLease, family: 'ipv4' | 'ipv6'): DefaultRoute | undefined
  /** Connects a sandbox. What fails is undone. @throws EngineError not-found, conflict; SyscallError */
  connect(sandbox: string, lease: EndpointLease, routes: DefaultRouteChoice): Promise<void>
  /** Ends a connection whose sandbox ends too. Nothing happens when it is gone. */
  release(lease: EndpointLease): void
  /** Ends a connection of a container that goes on running. Nothing happens when it is gone. */
  disconnect(sandbox: string, lease: EndpointLease): Promise<void>
}

/** All addresses of a lease. */
export function leasedAddresses(lease: EndpointLease): string[] {
  return [lease.address, lease.address6, ...(lease.linkLocal ?? [])].filter((address) => address !== undefined)
}

/** A lease as Docker would fill it in where the user asks for nothing else. */
export function createLease(settings: { readonly [K in Exclude<keyof EndpointLease, 'hostInterface'>]?: EndpointLease[K] | undefined } & Pick<EndpointLease, 'hostInterface'>): EndpointLease {
  const { containerInterface = 'eth0', antiSpoofing = true, address, address6, mac = macAddressFor(address ?? address6 ?? '::') } = settings
  return { ...settings, containerInterface, antiSpoofing, mac }
}
