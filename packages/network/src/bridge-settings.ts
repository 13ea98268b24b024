import type { Cidr } from './cidr.ts'
import type { ListedEndpoint } from './firewall/listing.ts'
import type { GatewayMode } from './firewall/ruleset.ts'
import type { SubnetPool } from './ipam.ts'

/** How one family of a bridge network leads outside; what is left out is as Docker's default. */
export interface FamilySettings {
  readonly mode?: GatewayMode | undefined
  /** The address of the host's that containers go out under. */
  readonly source?: string | undefined
  /** Addresses that are given to nobody. */
  readonly reserved?: readonly string[] | undefined
  /** Nobody is the router, and its address a container's (mode `isolated`). */
  readonly unrouted?: boolean | undefined
  /** The router that containers are told of; left out, the bridge. */
  readonly router?: string | undefined
}

export interface BridgeNetworkSettings {
  /** Name of the bridge's link, at most 15 characters: `engine0`. */
  readonly bridge: string
  /** The bridge's address with prefix length (`172.17.0.1/16`); left out: the one it has, or the first of a free subnet of the pools. */
  readonly address?: string | undefined
  /** Part of the subnet that containers get addresses from: `172.17.8.0/24`. */
  readonly range?: string | undefined
  readonly subnetPools: readonly SubnetPool[]
  /** Networks that must not be chosen, such as those of the host's nameservers. */
  readonly avoid?: readonly Cidr[] | undefined
  /** `false`: a network of IPv6 alone. */
  readonly ipv4?: boolean | undefined
  readonly family4?: FamilySettings | undefined
  /** The bridge's IPv6 address with prefix length (`fd00::1/64`), and part of its subnet; left out: no IPv6. */
  readonly address6?: string | undefined
  readonly range6?: string | undefined
  readonly family6?: FamilySettings | undefined
  /** bytes */
  readonly mtu: number
  /** Containers reach the outside under the host's addresses. */
  readonly masquerade: boolean
  /** Containers reach each other. */
  readonly interContainer: boolean
  /** Nothing goes in or out. */
  readonly internal?: boolean | undefined
  /** The bridge gets no IPv4 address: somebody else is the router. */
  readonly inhibitIPv4?: boolean | undefined
  /** Links from where containers are reached by their own addresses. */
  readonly trusted?: readonly string[] | undefined
  /** The bridge was there before: it keeps its addresses, and stays when the network goes. */
  readonly foreign?: boolean | undefined
}

/** What clients are shown of a network: `IPAM.Config` and more. */
export interface BridgeNetworkView {
  readonly bridge: string
  /** `172.17.0.0/16`; '' without IPv4 */
  readonly subnet: string
  readonly range: string | undefined
  /** `172.17.0.1`; '' without IPv4 */
  readonly gateway: string
  readonly prefix: number
  readonly mtu: number
  /** The same of IPv6, where the network has it. */
  readonly ipv6?: { readonly subnet: string; readonly range: string | undefined; readonly gateway: string } | undefined
  /** What keeps containers from the outside although engine does not: text for the log. */
  readonly warnings: readonly string[]
}

/** What of a network is on the host now, whoever made it: to compare with leases after a crash. */
export interface BridgeNetworkState {
  /** Names of the bridge's ports. */
  readonly ports: readonly string[]
  /** Endpoints of all networks of the daemon that have rules. */
  readonly rules: readonly ListedEndpoint[]
}
