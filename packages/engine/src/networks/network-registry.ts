import { randomBytes } from 'node:crypto'
import { EngineError } from '@engine/linux'
import { BridgeNetwork, createLease, Firewall, parseCidr, parseEndpointSysctls, randomHostInterface, type AddressPool, type BridgeNetworkView, type Cidr, type EndpointLease } from '@engine/network'
import type { EndpointRequest, SandboxEndpoint } from '../containers/container.ts'
import { Mutex } from '../containers/mutex.ts'
import type { EngineOptions } from '../interface.ts'
import type { Database } from '../state/database.ts'
import { interfacePrefix } from './driver-options.ts'
import { defaultBridge, openDriver, type LiveNetwork } from './drivers.ts'
import { isPredefined, NetworksTable, type NetworkRecord } from './networks-table.ts'
import { PublishedPorts } from './published-ports.ts'
import { subnetPools } from './subnets.ts'
import { TakenAddresses } from './taken-addresses.ts'

/** A lease in use. */
interface Held {
  readonly networkId: string
  readonly lease: EndpointLease
}

/** The networks there are, and what containers have of them. Memory answers; changes go to the database first. */
export class NetworkRegistry implements Disposable {
  readonly firewall: Firewall
  /** Networks are made one after another: what one takes, names and subnets, the next one sees. */
  readonly creating = new Mutex()
  readonly ports: PublishedPorts
  readonly #table: NetworksTable
  readonly #options: EngineOptions
  readonly #id: string
  readonly #bridge: BridgeNetwork
  #records: readonly NetworkRecord[]
  /** By network id; none for those that are nothing on the host. */
  readonly #live = new Map<string, LiveNetwork>()
  /** By endpoint id. */
  readonly #held = new Map<string, Held>()
  /** By network id: what the leases have. */
  readonly #taken = new Map<string, { readonly ipv4: TakenAddresses; readonly ipv6: TakenAddresses }>()
  #view: BridgeNetworkView | undefined

  /** @param id of the engine, from which its IPv6 prefix comes */
  constructor(db: Database, options: EngineOptions, id: string) {
    this.#table = new NetworksTable(db)
    this.#options = options
    this.#id = id
    this.#records = this.#table.load()
    this.firewall = new Firewall(options.nftablesTable)
    this.ports = new PublishedPorts(this.firewall, options.log)
    this.#bridge = defaultBridge(this.firewall, options, id, this.#userSubnets())
  }

  get records(): readonly NetworkRecord[] {
    return this.#records
  }

  /** What subnets of new networks are taken from. */
  get pools(): ReturnType<typeof subnetPools> {
    return subnetPools(this.#options, this.#id)
  }

  /**
   * Makes what the networks are on the host, or makes it right. A network of a user's own that cannot be made is there all the
   * same, and its containers cannot be started.
   * @returns what is to be logged
   */
  ensure(): readonly string[] {
    this.firewall.ensure()
    this.#view = this.#bridge.ensure()
    const warnings = [...this.#view.warnings]
    for (const network of this.#records) {
      if (isPredefined(network.name)) continue
      try {
        const live = openDriver(network, this.firewall, this.#options)
        if (live === undefined) continue
        this.#live.set(network.id, live)
        live.ensure()
      } catch (error) {
        warnings.push(`network ${network.name} cannot be set up: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    const bridge = this.#records.find(({ name }) => name === 'bridge')
    if (bridge !== undefined) this.#live.set(bridge.id, this.#bridge)
    return warnings
  }

  /** The default bridge. */
  get bridge(): BridgeNetworkView {
    if (this.#view === undefined) throw new EngineError('unavailable', 'the bridge is not set up')
    return this.#view
  }

  get(id: string): NetworkRecord | undefined {
    return this.#records.find((network) => network.id === id)
  }

  /** By full id, name, or unambiguous beginning of the id. @throws EngineError not-found `network x not found` */
  find(ref: string): NetworkRecord {
    const network = this.#records.find(({ id }) => id === ref) ?? this.#records.find(({ name }) => name === ref) ?? this.#byPrefix(ref)
    if (network === undefined) throw new EngineError('not-found', `network ${ref} not found`)
    return network
  }

  #byPrefix(ref: string): NetworkRecord | undefined {
    const found = /^[0-9a-f]+$/.test(ref) ? this.#records.filter(({ id }) => id.startsWith(ref)) : []
    if (found.length > 1) throw new EngineError('invalid-argument', `network ${ref} is ambiguous (${found.length} matches found on ID prefix)`)
    return found[0]
  }

  /** The subnets that networks have. */
  subnets(): Cidr[] {
    const { subnet, ipv6 } = this.bridge
    return [subnet, ...(ipv6 === undefined ? [] : [ipv6.subnet])].map(parseCidr).concat(this.#userSubnets())
  }

  /** Opens a network that is being created; nothing is made or noted yet. @throws EngineError invalid-argument */
  open(network: NetworkRecord): LiveNetwork | undefined {
    return openDriver(network, this.firewall, this.#options)
  }

  /** Notes a network whose parts are there; inside the transaction of its creation. */
  insert(network: NetworkRecord): void {
    this.#table.insert(network)
  }

  /** The same in memory, once the transaction is committed. */
  add(network: NetworkRecord, live: LiveNetwork | undefined): void {
    this.#records = [...this.#records, network]
    if (live !== undefined) this.#live.set(network.id, live)
  }

  /** Strikes a network from the database; inside the transaction that begins its removal. */
  delete(network: NetworkRecord): void {
    this.#table.delete(network.id)
  }

  /** The same in memory. @returns what is still to be removed from the host */
  forget(network: NetworkRecord): LiveNetwork | undefined {
    this.#records = this.#records.filter(({ id }) => id !== network.id)
    const live = this.#live.get(network.id)
    this.#live.delete(network.id)
    this.#taken.delete(network.id)
    return live
  }

  /** What a network is on the host. */
  live(networkId: string): LiveNetwork | undefined {
    return this.#live.get(networkId)
  }

  /**
   * Takes addresses and an interface's name for a container; `release` or `disconnect` give them back.
   * @param beside the sandbox's other endpoints, whose interfaces have other names
   * @throws EngineError forbidden, unavailable, invalid-argument in Docker's words
   */
  allocate(network: NetworkRecord, request: EndpointRequest | undefined, beside: readonly SandboxEndpoint[]): SandboxEndpoint {
    const endpoint = { id: randomBytes(32).toString('hex'), networkId: network.id, prefix: 0, gateway: '', prefix6: 0, gateway6: '' }
    if (network.settings.configOnly) throw new EngineError('forbidden', 'cannot create endpoint on configuration-only network')
    if (network.driver === 'host' || network.driver === 'null') return endpoint
    const live = this.#live.get(network.id)
    if (live === undefined) throw new EngineError('unavailable', `network ${network.name} is not set up`)
    const [pool, pool6] = [live.pool(), live.pool6()]
    const { ipv4, ipv6 } = this.#takenOn(network.id)
    using undo = new DisposableStack()
    const take = (taken: TakenAddresses, from: AddressPool | undefined, wanted: string | null | undefined): string | undefined => (from === undefined ? undefined : undo.adopt(taken.take(from, wanted), (address) => taken.give(address)))
    const linkLocal = request?.IPAMConfig?.LinkLocalIPs ?? []
    const sysctls = request?.DriverOpts?.['com.docker.network.endpoint.sysctls']
    const lease = createLease({
      hostInterface: network.driver === 'bridge' ? randomHostInterface() : '',
      containerInterface: request?.DriverOpts?.['com.docker.network.endpoint.ifname'] || freeInterface(interfacePrefix(network.settings.options), beside),
      address: take(ipv4, pool, request?.IPAMConfig?.IPv4Address),
      address6: take(ipv6, pool6, request?.IPAMConfig?.IPv6Address),
      ...(linkLocal.length === 0 ? {} : { linkLocal }),
      // A link of kind ipvlan has its parent's.
      mac: network.driver === 'ipvlan' ? '' : request?.MacAddress || undefined,
      ...(sysctls === undefined ? {} : { sysctls: parseEndpointSysctls(sysctls) }),
    })
    undo.move()
    this.#held.set(endpoint.id, { networkId: network.id, lease })
    return {
      ...endpoint,
      prefix: pool?.subnet.prefix ?? 0,
      gateway: live.defaultRoute(lease, 'ipv4')?.gateway ?? '',
      prefix6: pool6?.subnet.prefix ?? 0,
      gateway6: live.defaultRoute(lease, 'ipv6')?.gateway ?? '',
      lease,
    }
  }

  /** Takes up an endpoint that a container has from before a restart of ours. */
  adopt({ id, networkId, lease }: SandboxEndpoint): void {
    if (lease === undefined) return
    const { ipv4, ipv6 } = this.#takenOn(networkId)
    if (lease.address !== undefined) ipv4.adopt(lease.address)
    if (lease.address6 !== undefined) ipv6.adopt(lease.address6)
    this.#held.set(id, { networkId, lease })
  }

  /** Ends a connection whose sandbox ends too, and gives its addresses back. Nothing happens when it is gone. */
  release({ id, networkId, lease }: SandboxEndpoint): void {
    if (lease !== undefined) this.#live.get(networkId)?.release(lease)
    this.#giveBack(id)
  }

  /** The same for a sandbox that goes on. */
  async disconnect(sandbox: string, { id, networkId, lease }: SandboxEndpoint): Promise<void> {
    if (lease !== undefined) await this.#live.get(networkId)?.disconnect(sandbox, lease)
    this.#giveBack(id)
  }

  /** Makes the host agree with the leases there are, after a crash. Sandboxes are looked after first. @returns ports that were taken away */
  async reconcile(): Promise<string[]> {
    this.ports.settle()
    const removed: string[] = []
    for (const [id, live] of this.#live) if (live instanceof BridgeNetwork) removed.push(...(await live.reconcile(this.#leases(id))))
    return removed
  }

  [Symbol.dispose](): void {
    for (const live of this.#live.values()) if (live instanceof BridgeNetwork) live[Symbol.dispose]()
    if (this.#view === undefined) this.#bridge[Symbol.dispose]()
    this.firewall[Symbol.dispose]()
  }

  #userSubnets(): Cidr[] {
    return this.#records.filter(({ settings }) => !settings.configOnly).flatMap(({ settings }) => settings.pools.map(({ subnet }) => parseCidr(subnet)))
  }

  #takenOn(networkId: string): { readonly ipv4: TakenAddresses; readonly ipv6: TakenAddresses } {
    const known = this.#taken.get(networkId) ?? { ipv4: new TakenAddresses(), ipv6: new TakenAddresses() }
    this.#taken.set(networkId, known)
    return known
  }

  #giveBack(id: string): void {
    const held = this.#held.get(id)
    if (held === undefined) return
    this.#held.delete(id)
    const { networkId, lease } = held
    const taken = this.#taken.get(networkId)
    if (lease.address !== undefined) taken?.ipv4.give(lease.address)
    if (lease.address6 !== undefined) taken?.ipv6.give(lease.address6)
  }

  #leases(networkId: string): EndpointLease[] {
    return [...this.#held.values()].filter((held) => held.networkId === networkId).map(({ lease }) => lease)
  }
}

/** `eth0`, or the first number that no other link of the sandbox has. */
function freeInterface(prefix: string, beside: readonly SandboxEndpoint[]): string {
  const taken = new Set(beside.map(({ lease }) => lease?.containerInterface))
  for (let number = 0; ; number++) if (!taken.has(`${prefix}${number}`)) return `${prefix}${number}`
}
