import { EngineError } from '@engine/linux'
import { Routing, type Link } from '@engine/linux/netlink'
import { bridgeAddress, ensureBridge, removeBridge, routedNetworks } from './bridge.ts'
import type { BridgeNetworkSettings, BridgeNetworkState, BridgeNetworkView, FamilySettings } from './bridge-settings.ts'
import { contains, formatCidr, isIPv6, networkOf, parseCidr, type Cidr } from './cidr.ts'
import type { DefaultRoute } from './container-end.ts'
import { attachEndpoint, detachEndpoint, removePort, silenceEndpoint } from './endpoint.ts'
import type { ListedEndpoint } from './firewall/listing.ts'
import { conflictHint, type Firewall } from './firewall/nftables.ts'
import type { EndpointRules } from './firewall/endpoint-ruleset.ts'
import type { SubnetRules } from './firewall/ruleset.ts'
import { chooseSubnet, createAddressPool, type AddressPool } from './ipam.ts'
import { leasedAddresses, type ConnectableNetwork, type DefaultRouteChoice, type EndpointLease } from './network-driver.ts'

/**
 * A bridge network in the namespace that this thread was in when it was made. Everything may be repeated; what a crash left is
 * taken over. Use: `ensure` at start, then `pool` for allocateAddress, `connect` and `release` for each container.
 */
export class BridgeNetwork implements ConnectableNetwork, Disposable {
  readonly #settings: BridgeNetworkSettings
  readonly #firewall: Firewall
  readonly #routing = new Routing()
  readonly #address6: Cidr | undefined
  #address: Cidr | undefined
  #ready = false

  /** @param firewall is ensured and shared by all networks of the daemon; stays the caller's */
  constructor(settings: BridgeNetworkSettings, firewall: Firewall) {
    this.#settings = settings
    this.#firewall = firewall
    this.#address6 = settings.address6 === undefined ? undefined : parseCidr(settings.address6)
  }

  /**
   * Makes bridge and rules, or makes them right.
   * @throws EngineError unavailable when no subnet is free, conflict when the bridge's name or address is another's
   */
  ensure(): BridgeNetworkView {
    const { bridge, mtu, interContainer, internal = false, trusted = [], foreign = false } = this.#settings
    const address = this.#settings.ipv4 === false ? undefined : this.#chooseAddress()
    if (this.#address6 !== undefined) this.#firewall.ensureIPv6()
    // Rules before the link: at no moment is the network open.
    this.#firewall.addBridge({ bridge, subnets: [...this.#subnetRules(address, 4), ...this.#subnetRules(this.#address6, 6)], interContainer, internal, trusted })
    try {
      ensureBridge(this.#routing, { name: bridge, addresses: [...this.#bridgeAddresses(address, 4), ...this.#bridgeAddresses(this.#address6, 6)], ipv6: this.#address6 !== undefined, foreign, mtu })
    } catch (error) {
      // What the name is another's for keeps no rules of ours.
      if (!this.#ready && this.#findBridge() === undefined) this.#firewall.removeBridge(bridge)
      throw error
    }
    this.#firewall.keepForwarding()
    this.#address = address
    this.#ready = true
    return this.inspect()
  }

  /** The IPv4 addresses that containers get. */
  pool(): AddressPool | undefined {
    this.#checkReady()
    return this.#poolOf(this.#address, this.#settings.range, this.#settings.family4)
  }

  /** The same of IPv6. */
  pool6(): AddressPool | undefined {
    this.#checkReady()
    return this.#poolOf(this.#address6, this.#settings.range6, this.#settings.family6)
  }

  inspect(): BridgeNetworkView {
    const { bridge, mtu, range, range6 } = this.#settings
    this.#checkReady()
    const [address, address6] = [this.#address, this.#address6]
    const ipv6 = address6 === undefined ? undefined : { subnet: formatCidr(networkOf(address6)), range: range6, gateway: address6.address }
    const warnings = this.#firewall
      .findConflicts(bridge)
      .map((conflict) => `chain ${conflict.chain} of nftables table ${conflict.family} ${conflict.table} drops what containers on ${bridge} send; ${conflictHint(conflict, bridge)}`)
    return { bridge, subnet: address === undefined ? '' : formatCidr(networkOf(address)), range, gateway: address?.address ?? '', prefix: address?.prefix ?? 0, mtu, ipv6, warnings }
  }

  defaultRoute(lease: EndpointLease, family: 'ipv4' | 'ipv6'): DefaultRoute | undefined {
    const { internal = false, family4, family6 } = this.#settings
    const [address, settings, own] = family === 'ipv4' ? [this.#address, family4, lease.address] : [this.#address6, family6, lease.address6]
    if (internal || address === undefined || own === undefined) return undefined
    return { containerInterface: lease.containerInterface, gateway: settings?.router ?? address.address }
  }

  /**
   * Connects a sandbox: rules, then the veth. What fails is undone.
   * @param sandbox path of the sandbox
   * @param routes which default routes lead here; left out, all that the network has
   * @throws EngineError not-found, conflict; SyscallError
   */
  async connect(sandbox: string, lease: EndpointLease, routes: DefaultRouteChoice = { ipv4: true, ipv6: true }): Promise<void> {
    this.#checkReady()
    const { mtu } = this.#settings
    const { hostInterface, containerInterface, mac, sysctls } = lease
    const addresses = this.#addressesOf(lease)
    const bridge = this.#bridge().index
    this.#firewall.addEndpoint(this.#endpointRules(lease))
    try {
      // The host may remember the address's last owner.
      for (const { address } of addresses) this.#routing.deleteNeighbour(bridge, address)
      const gateways = {
        ipv4: routes.ipv4 ? this.defaultRoute(lease, 'ipv4')?.gateway : undefined,
        ipv6: routes.ipv6 ? this.defaultRoute(lease, 'ipv6')?.gateway : undefined,
      }
      await attachEndpoint(this.#routing, { sandbox, bridge, hostInterface, containerInterface, addresses, mac, gateways, mtu, sysctls })
    } catch (error) {
      this.release(lease)
      throw error
    }
  }

  /**
   * Ends a connection whose sandbox ends too (call removeSandbox next): silences the veth, takes the rules away. The veth itself
   * goes with the sandbox. Nothing happens when all is gone already.
   */
  release(lease: EndpointLease): void {
    silenceEndpoint(this.#routing, lease.hostInterface)
    this.#firewall.removeEndpoint({ ...lease, addresses: leasedAddresses(lease) })
  }

  /** Ends a connection of a container that goes on running: the veth goes, in some 30 ms. */
  async disconnect(_sandbox: string, lease: EndpointLease): Promise<void> {
    this.release(lease)
    await detachEndpoint(this.#routing, lease.hostInterface)
  }

  /** What is on the host, for reconciliation. */
  list(): BridgeNetworkState {
    const bridge = this.#findBridge()
    const ports = bridge === undefined ? [] : this.#routing.listLinks(bridge.index).map(({ name }) => name)
    return { ports, rules: this.#firewall.listEndpoints() }
  }

  /**
   * Makes the host agree with the leases that are in use, after a crash or after somebody flushed our rules: every lease has its
   * rules, ports of the bridge without a lease go, and so do rules of links that are gone. Sandboxes are the caller's affair
   * (listSandboxes), and are looked after first, since a port goes with its sandbox. Ports of a bridge that was there before may
   * be others'.
   * @returns names of the ports that were taken away
   */
  async reconcile(leases: readonly EndpointLease[]): Promise<string[]> {
    const byInterface = new Map(leases.map((lease) => [lease.hostInterface, lease]))
    const { ports, rules } = this.list()
    const ruled = new Set(rules.map(({ hostInterface }) => hostInterface))
    const stale = new Set(ports.filter((port) => !byInterface.has(port) && (this.#settings.foreign !== true || ruled.has(port))))
    for (const rule of rules) {
      const lease = byInterface.get(rule.hostInterface)
      const outdated = lease === undefined ? stale.has(rule.hostInterface) || this.#routing.findLink({ name: rule.hostInterface }) === undefined : differs(rule, lease)
      if (outdated) this.#firewall.removeEndpoint(rule)
    }
    for (const lease of leases) this.#firewall.addEndpoint(this.#endpointRules(lease))
    const bridge = this.#bridge().index
    const removed: string[] = []
    for (const port of stale) if (await removePort(this.#routing, bridge, port)) removed.push(port)
    return removed
  }

  /** Takes a port of the bridge away that no lease knows. Nothing happens to a link that is no veth on this bridge. */
  async removePort(name: string): Promise<void> {
    await removePort(this.#routing, this.#bridge().index, name)
  }

  /** Takes bridge and rules away, if they are there. Containers on it lose their connection. A bridge of before stays. */
  async remove(): Promise<void> {
    if (this.#settings.foreign !== true) await removeBridge(this.#routing, this.#settings.bridge)
    this.#firewall.removeBridge(this.#settings.bridge)
    this.#address = undefined
    this.#ready = false
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

  /** The bridge's own address of a family; none where somebody else is the router, or nobody. */
  #bridgeAddresses(address: Cidr | undefined, family: 4 | 6): Cidr[] {
    const { inhibitIPv4 = false } = this.#settings
    const isolated = this.#familySettings(family)?.mode === 'isolated'
    return address === undefined || isolated || (family === 4 && inhibitIPv4) ? [] : [address]
  }

  #subnetRules(subnet: Cidr | undefined, family: 4 | 6): SubnetRules[] {
    const { mode = 'nat', source } = this.#familySettings(family) ?? {}
    return subnet === undefined ? [] : [{ subnet, masquerade: this.#settings.masquerade, source, mode }]
  }

  #familySettings(family: 4 | 6): FamilySettings | undefined {
    return family === 4 ? this.#settings.family4 : this.#settings.family6
  }

  #poolOf(address: Cidr | undefined, range: string | undefined, family: FamilySettings | undefined): AddressPool | undefined {
    if (address === undefined) return undefined
    const pool = createAddressPool({ subnet: address, gateway: address.address, range: range === undefined ? undefined : parseCidr(range), reserved: family?.reserved })
    return family?.unrouted === true ? { ...pool, gateway: undefined } : pool
  }

  #endpointRules(lease: EndpointLease): EndpointRules {
    return { hostInterface: lease.hostInterface, mac: lease.mac, antiSpoofing: lease.antiSpoofing, addresses: leasedAddresses(lease), interContainer: this.#settings.interContainer }
  }

  #addressesOf(lease: EndpointLease): Cidr[] {
    return leasedAddresses(lease).map((address) => {
      const own = address.includes(':') ? this.#address6 : this.#address
      if (lease.linkLocal?.includes(address) === true) return { address, prefix: address.includes(':') ? 64 : 16 }
      if (own === undefined || !contains(own, address)) throw new EngineError('invalid-argument', `no configured subnet contains IP address ${address}`)
      return { address, prefix: own.prefix }
    })
  }

  #findBridge(): Link | undefined {
    const link = this.#routing.findLink({ name: this.#settings.bridge })
    return link?.kind === 'bridge' ? link : undefined
  }

  #bridge(): Link {
    const link = this.#findBridge()
    if (link === undefined) throw new EngineError('not-found', `bridge ${this.#settings.bridge} is gone`)
    return link
  }

  #checkReady(): void {
    if (!this.#ready) throw new EngineError('unavailable', `network bridge ${this.#settings.bridge} is not set up`)
  }
}

function differs(rule: ListedEndpoint, lease: EndpointLease): boolean {
  return rule.mac !== lease.mac || rule.addresses?.toSorted().join() !== leasedAddresses(lease).toSorted().join()
}

function checkedBridgeAddress(text: string): Cidr {
  const cidr = parseCidr(text)
  if (isIPv6(cidr) || (networkOf(cidr).address === cidr.address && cidr.prefix < 31)) {
    throw new EngineError('invalid-argument', `invalid bridge address ${text}: it must be an IPv4 host address with prefix length, as 172.17.0.1/16`)
  }
  return cidr
}
