import { EngineError } from '@engine/linux'
import { Routing } from '@engine/linux/netlink'
import { bridgeAddress, ensureBridge, removeBridge, routedNetworks } from './bridge.ts'
import { contains, formatCidr, networkOf, parseCidr, type Cidr } from './cidr.ts'
import { attachEndpoint, detachEndpoint, removePort, silenceEndpoint } from './endpoint.ts'
import type { ListedEndpoint } from './firewall/listing.ts'
import { conflictHint, type Firewall } from './firewall/nftables.ts'
import { chooseSubnet, createAddressPool, macAddressFor, type AddressPool, type SubnetPool } from './ipam.ts'

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
  /** bytes */
  readonly mtu: number
  /** Containers reach the outside under the host's addresses. */
  readonly masquerade: boolean
  /** Containers reach each other. */
  readonly interContainer: boolean
}

/** What a container has of a network; kept by the engine from allocation to release. */
export interface EndpointLease {
  /** Name of the veth's end on the host: `veth1a2b3c4`. Free, or the endpoint's own of before a crash. */
  readonly hostInterface: string
  /** Name of the end in the sandbox: `eth0`. */
  readonly containerInterface: string
  /** Without prefix length: `172.17.0.2`. */
  readonly address: string
  readonly mac: string
  /** Only frames with this MAC and address come out of the container. */
  readonly antiSpoofing: boolean
}

/** What clients are shown of a network: `IPAM.Config` and more. */
export interface BridgeNetworkView {
  readonly bridge: string
  /** `172.17.0.0/16` */
  readonly subnet: string
  readonly range: string | undefined
  /** `172.17.0.1` */
  readonly gateway: string
  readonly prefix: number
  readonly mtu: number
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

/**
 * A bridge network in the namespace that this thread was in when it was made. Everything may be repeated; what a crash left is
 * taken over. Use: `ensure` at start, then `pool` for allocateAddress, `connect` and `release` for each container.
 */
export class BridgeNetwork implements Disposable {
  readonly #settings: BridgeNetworkSettings
  readonly #firewall: Firewall
  readonly #routing = new Routing()
  #address: Cidr | undefined

  /** @param firewall is ensured and shared by all networks of the daemon; stays the caller's */
  constructor(settings: BridgeNetworkSettings, firewall: Firewall) {
    this.#settings = settings
    this.#firewall = firewall
  }

  /**
   * Makes bridge and rules, or makes them right.
   * @throws EngineError unavailable when no subnet is free, conflict when the bridge's name or address is another's
   */
  ensure(): BridgeNetworkView {
    const { bridge, mtu, masquerade, interContainer } = this.#settings
    const address = this.#chooseAddress()
    // Rules before the link: at no moment is the network open.
    this.#firewall.addBridge({ bridge, subnet: address, masquerade, interContainer })
    ensureBridge(this.#routing, { name: bridge, address, mtu })
    this.#firewall.keepForwarding()
    this.#address = address
    return this.inspect()
  }

  /** The addresses that containers get. */
  pool(): AddressPool {
    const { range } = this.#settings
    const address = this.#ensured()
    return createAddressPool({ subnet: address, gateway: address.address, range: range === undefined ? undefined : parseCidr(range) })
  }

  inspect(): BridgeNetworkView {
    const { bridge, mtu, range } = this.#settings
    const address = this.#ensured()
    const warnings = this.#firewall
      .findConflicts(bridge)
      .map((conflict) => `chain ${conflict.chain} of nftables table ${conflict.family} ${conflict.table} drops what containers on ${bridge} send; ${conflictHint(conflict, bridge)}`)
    return { bridge, subnet: formatCidr(networkOf(address)), range, gateway: address.address, prefix: address.prefix, mtu, warnings }
  }

  /**
   * Connects a sandbox: rules, then the veth. What fails is undone.
   * @param sandbox path of the sandbox
   * @throws EngineError not-found, conflict; SyscallError
   */
  async connect(sandbox: string, lease: EndpointLease): Promise<void> {
    const address = this.#ensured()
    const { mtu, interContainer } = this.#settings
    const { hostInterface, containerInterface, mac } = lease
    if (!contains(address, lease.address)) throw new EngineError('invalid-argument', `no configured subnet contains IP address ${lease.address}`)
    const bridge = this.#bridgeIndex()
    this.#firewall.addEndpoint({ ...lease, interContainer })
    try {
      // The host may remember the address's last owner.
      this.#routing.deleteNeighbour(bridge, lease.address)
      await attachEndpoint(this.#routing, { sandbox, bridge, hostInterface, containerInterface, address: { address: lease.address, prefix: address.prefix }, mac, gateway: address.address, mtu })
    } catch (error) {
      this.#firewall.removeEndpoint(lease)
      throw error
    }
  }

  /**
   * Ends a connection whose sandbox ends too (call removeSandbox next): silences the veth, takes the rules away. The veth itself
   * goes with the sandbox. Nothing happens when all is gone already.
   */
  release(lease: EndpointLease): void {
    silenceEndpoint(this.#routing, lease.hostInterface)
    this.#firewall.removeEndpoint(lease)
  }

  /** Ends a connection of a container that goes on running: the veth goes, in some 30 ms. */
  async disconnect(lease: EndpointLease): Promise<void> {
    silenceEndpoint(this.#routing, lease.hostInterface)
    this.#firewall.removeEndpoint(lease)
    await detachEndpoint(this.#routing, lease.hostInterface)
  }

  /** What is on the host, for reconciliation. */
  list(): BridgeNetworkState {
    const bridge = this.#routing.findLink({ name: this.#settings.bridge })
    const ports = bridge === undefined ? [] : this.#routing.listLinks(bridge.index).map(({ name }) => name)
    return { ports, rules: this.#firewall.listEndpoints() }
  }

  /**
   * Makes the host agree with the leases that are in use, after a crash or after somebody flushed our rules: every lease has its
   * rules, ports of the bridge without a lease go, and so do rules of links that are gone. Sandboxes are the caller's affair
   * (listSandboxes), and are looked after first, since a port goes with its sandbox.
   * @returns names of the ports that were taken away
   */
  async reconcile(leases: readonly EndpointLease[]): Promise<string[]> {
    const { interContainer } = this.#settings
    const byInterface = new Map(leases.map((lease) => [lease.hostInterface, lease]))
    const { ports, rules } = this.list()
    const stale = new Set(ports.filter((port) => !byInterface.has(port)))
    for (const rule of rules) {
      const lease = byInterface.get(rule.hostInterface)
      const outdated = lease === undefined ? stale.has(rule.hostInterface) || this.#routing.findLink({ name: rule.hostInterface }) === undefined : rule.mac !== lease.mac || rule.address !== lease.address
      if (outdated) this.#firewall.removeEndpoint(rule)
    }
    for (const lease of leases) this.#firewall.addEndpoint({ ...lease, interContainer })
    const bridge = this.#bridgeIndex()
    const removed: string[] = []
    for (const port of stale) if (await removePort(this.#routing, bridge, port)) removed.push(port)
    return removed
  }

  /** Takes a port of the bridge away that no lease knows. Nothing happens to a link that is no veth on this bridge. */
  async removePort(name: string): Promise<void> {
    await removePort(this.#routing, this.#bridgeIndex(), name)
  }

  /** Takes bridge and rules away, if they are there. Containers on it lose their connection. */
  async remove(): Promise<void> {
    await removeBridge(this.#routing, this.#settings.bridge)
    this.#firewall.removeBridge(this.#settings.bridge)
    this.#address = undefined
  }

  [Symbol.dispose](): void {
    this.#routing[Symbol.dispose]()
  }

  #chooseAddress(): Cidr {
    const { address, bridge, subnetPools, avoid = [] } = this.#settings
    if (address !== undefined) return checkedBridgeAddress(address)
    const present = this.#address ?? bridgeAddress(this.#routing, bridge)
    if (present !== undefined) return present
    const subnet = chooseSubnet(subnetPools, [...routedNetworks(this.#routing), ...avoid])
    return { address: createAddressPool({ subnet }).gateway, prefix: subnet.prefix }
  }

  #bridgeIndex(): number {
    const { bridge } = this.#settings
    const link = this.#routing.findLink({ name: bridge })
    if (link === undefined) throw new EngineError('not-found', `bridge ${bridge} is gone`)
    return link.index
  }

  #ensured(): Cidr {
    if (this.#address === undefined) throw new EngineError('unavailable', `network bridge ${this.#settings.bridge} is not set up`)
    return this.#address
  }
}

/** A lease as Docker would fill it in where the user asks for nothing else. */
export function createLease(settings: { readonly hostInterface: string; readonly address: string; readonly mac?: string | undefined; readonly containerInterface?: string | undefined; readonly antiSpoofing?: boolean | undefined }): EndpointLease {
  const { hostInterface, address, mac, containerInterface = 'eth0', antiSpoofing = true } = settings
  return { hostInterface, containerInterface, address, mac: mac ?? macAddressFor(address), antiSpoofing }
}

function checkedBridgeAddress(text: string): Cidr {
  const cidr = parseCidr(text)
  if (cidr.address.includes(':') || networkOf(cidr).address === cidr.address) {
    throw new EngineError('invalid-argument', `invalid bridge address ${text}: it must be an IPv4 host address with prefix length, as 172.17.0.1/16`)
  }
  return cidr
}
