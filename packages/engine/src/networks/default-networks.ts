import { randomBytes } from 'node:crypto'
import { EngineError } from '@engine/linux'
import { BridgeNetwork, Firewall, allocateAddress, claimAddress, createLease, defaultSubnetPools, parseCidr, randomHostInterface, type BridgeNetworkView, type EndpointLease } from '@engine/network'
import type { EndpointRequest, SandboxEndpoint } from '../containers/container.ts'
import type { EngineOptions } from '../interface.ts'
import type { Database } from '../state/database.ts'
import { loadNetworks, type NetworkRecord } from './networks-table.ts'

/** The networks `bridge`, `host` and `none`: which there are, and what containers have of them. */
export class DefaultNetworks implements Disposable {
  readonly records: readonly NetworkRecord[]
  readonly #firewall: Firewall
  readonly #bridge: BridgeNetwork
  /** Addresses of the bridge that containers have, by whose. */
  readonly #leases = new Map<string, EndpointLease>()
  #view: BridgeNetworkView | undefined

  constructor(db: Database, options: EngineOptions) {
    this.records = loadNetworks(db)
    this.#firewall = new Firewall(options.nftablesTable)
    this.#bridge = new BridgeNetwork(
      {
        bridge: options.bridge,
        address: options.bip,
        range: options.fixedCidr,
        subnetPools: options.addressPools.length === 0 ? defaultSubnetPools : options.addressPools.map(({ base, size }) => ({ base: parseCidr(base), size })),
        mtu: options.mtu,
        masquerade: options.masquerade,
        interContainer: options.interContainer,
      },
      this.#firewall,
    )
  }

  /**
   * Makes the bridge and its rules, or makes them right.
   * @returns what may keep containers from the outside, for the log
   */
  ensure(): readonly string[] {
    this.#firewall.ensure()
    this.#view = this.#bridge.ensure()
    return this.#view.warnings
  }

  get bridge(): BridgeNetworkView {
    if (this.#view === undefined) throw new EngineError('unavailable', 'the bridge is not set up')
    return this.#view
  }


  /** @throws EngineError not-found `network x not found` */
  find(ref: string): NetworkRecord {
    const network = this.records.find(({ id, name }) => name === ref || id === ref) ?? this.#byPrefix(ref)
    if (network === undefined) throw new EngineError('not-found', `network ${ref} not found`)
    return network
  }

  #byPrefix(ref: string): NetworkRecord | undefined {
    const found = /^[0-9a-f]+$/.test(ref) ? this.records.filter(({ id }) => id.startsWith(ref)) : []
    if (found.length > 1) throw new EngineError('invalid-argument', `network ${ref} is ambiguous (${found.length} matches found on name)`)
    return found[0]
  }

  /** Takes an address and an interface's name for a container; `free` gives them back. */
  allocate(container: string, network: NetworkRecord, request: EndpointRequest | undefined): SandboxEndpoint {
    const id = randomBytes(32).toString('hex')
    if (network.driver !== 'bridge') return { id, networkId: network.id, prefix: 0, gateway: '', prefix6: 0, gateway6: '' }
    const pool = this.#bridge.pool()
    const used = new Set([...this.#leases.values()].map(({ address }) => address))
    const wanted = request?.IPAMConfig?.IPv4Address
    const lease = createLease({
      hostInterface: randomHostInterface(),
      address: wanted ? claimAddress(pool, used, wanted) : allocateAddress(pool, used),
      mac: request?.MacAddress || undefined,
    })
    this.#leases.set(container, lease)
    return { id, networkId: network.id, prefix: this.bridge.prefix, gateway: this.bridge.gateway, prefix6: 0, gateway6: '', lease }
  }

  /** Takes a lease that a container has from before a restart of ours. */
  adopt(container: string, lease: EndpointLease): void {
    this.#leases.set(container, lease)
  }

  async connect(sandbox: string, lease: EndpointLease): Promise<void> {
    await this.#bridge.connect(sandbox, lease)
  }

  /** Ends a connection whose sandbox ends too, and gives its address back. Nothing happens when it is gone. */
  release(container: string, lease: EndpointLease): void {
    this.#bridge.release(lease)
    this.free(container)
  }

  free(container: string): void {
    this.#leases.delete(container)
  }

  /** Makes the host agree with the leases there are, after a crash. Sandboxes are looked after first. @returns ports that were taken away */
  reconcile(): Promise<string[]> {
    return this.#bridge.reconcile([...this.#leases.values()])
  }

  [Symbol.dispose](): void {
    this.#bridge[Symbol.dispose]()
    this.#firewall[Symbol.dispose]()
  }
}
