import { Errno, SyscallError } from '@engine/linux'
import { NftablesElements, NftablesGeneration, Routing } from '@engine/linux/netlink'
import { Nftables, NftablesError } from '@engine/linux/nftables'
import { linkLocalAddress, type Cidr } from '../cidr.ts'
import { isForwarding, setForwarding } from '../forwarding.ts'
import { isForwardingIPv6, turnOffForwardingIPv6, turnOnForwardingIPv6 } from '../ipv6.ts'
import { hasChain, mentionsLink, parseForwardDrops, parseLinkNetworks, parseMapKeys, parseFilterBases, parseSetElements, withTables, type ForwardConflict, type ListedEndpoint } from './listing.ts'
import { findDrop, type Hook, type Packet, type Verdict } from './evaluate.ts'
import { writeEndpoint, writeEndpointRemoval, type EndpointChange, type EndpointIdentity, type EndpointRules } from './endpoint-ruleset.ts'
import { writeLinks, type LinkRule } from './link-ruleset.ts'
import { checkedTableName } from './nft-text.ts'
import { PortRules } from './port-rules.ts'
import { hairpinSets } from './port-ruleset.ts'
import { bridgeGroup, strangersChain, strangersChain6, writeBridge, writeBridgeRemoval, writeTables, writeTablesRemoval, type BridgeRules } from './ruleset.ts'

/**
 * The rules of one daemon, in tables of its own by name. Everything is a transaction that may be repeated; nothing outside of
 * the tables is touched. Belongs to the thread and network namespace that made it.
 */
export class Firewall implements Disposable {
  /** Published ports. */
  readonly ports: PortRules
  readonly #table: string
  readonly #nftables: Nftables
  readonly #kernel = new NftablesGeneration()
  readonly #elementChanges = new NftablesElements()
  /** What the tables hold, for the case that somebody flushes them. */
  readonly #bridges = new Map<string, BridgeRules>()
  readonly #endpoints = new Map<string, EndpointRules>()
  #links: readonly LinkRule[] = []
  #guards = { ipv4: false, ipv6: false }

  /**
   * @param table the tables' name, one per daemon
   * @throws EngineError unavailable without libnftables
   */
  constructor(table: string) {
    this.#table = checkedTableName(table)
    this.#nftables = new Nftables()
    this.ports = new PortRules(this.#table, (text) => this.#nftables.run(text))
  }

  /**
   * Lays the tables and turns forwarding on. Where it was off, the host was no router: then packets that are none of ours are
   * dropped from now on, as Docker does it. The tables remember it, for they end when forwarding does, at the next boot; and an
   * engine that comes second does as the first, which may be gone before it.
   */
  ensure(): void {
    const forwarding = isForwarding()
    // The rules come first: at no moment does the host forward for strangers.
    this.#lay(!forwarding || this.#isGuarded(strangersChain), this.#isGuarded(strangersChain6))
    // A network's creation may have been broken off: nothing but the tables knows its subnets.
    this.ports.adopt(hairpinSets.flatMap((set) => parseLinkNetworks(this.#nftables.list(`list set inet ${this.#table} ${set}`))))
    if (!forwarding) setForwarding(true)
  }

  /** The same of IPv6, which only networks that have it need: a bridge with IPv6 is there, or is coming. */
  ensureIPv6(): void {
    if (isForwardingIPv6()) return
    this.#lay(this.#isGuarded(strangersChain), true)
    using routing = new Routing()
    turnOnForwardingIPv6(routing.listLinks().map(({ name }) => name))
  }

  /**
   * Turns forwarding on again where another engine, which did not see us yet, has just turned it off for its own end. Called once a
   * bridge is there.
   */
  keepForwarding(): void {
    if (!isForwarding()) this.ensure()
  }

  /** A bridge's rules, or a change of them. */
  addBridge(rules: BridgeRules): void {
    this.#bridges.set(rules.bridge, rules)
    this.#nftables.run(writeBridge(this.#table, rules) + this.ports.bridge(rules.bridge, portSubnets(rules)))
  }

  /** A bridge's rules away, if they are there. */
  removeBridge(bridge: string): void {
    this.#bridges.delete(bridge)
    this.#nftables.run(writeBridgeRemoval(this.#table, bridge) + this.ports.bridgeRemoval(bridge))
  }

  /** An endpoint's rules. They come before its link goes up. */
  addEndpoint(rules: EndpointRules): void {
    this.#endpoints.set(rules.hostInterface, rules)
    this.#change(writeEndpoint(this.#table, rules))
  }

  /** An endpoint's rules away, if they are there. */
  removeEndpoint(endpoint: EndpointIdentity): void {
    this.#endpoints.delete(endpoint.hostInterface)
    this.#change(writeEndpointRemoval(this.#table, endpoint))
  }

  /** What links open between endpoints that are kept apart: all of them, in the place of those before. */
  setLinks(links: readonly LinkRule[]): void {
    this.#links = links
    this.#nftables.run(writeLinks(this.#table, links))
  }

  /**
   * Which rule would drop a packet at a hook, of ours or of others.
   * @param families `ip`, `ip6` and `inet` for what is routed, `bridge` for frames between a bridge's ports
   * @param others only tables that are no engine's
   * @returns in words that name it; undefined when none would, as far as can be told
   */
  findDrop(families: readonly string[], hook: Hook, packet: Packet, others = false): string | undefined {
    // Chains are told of at once; the rules of all tables take their time, and mostly there is nobody else's.
    const bases = parseFilterBases(this.#nftables.list('list chains'), hook).filter(({ family, table, engine }) => families.includes(family) && !(others && (engine || table === this.#table)))
    if (bases.length === 0) return undefined
    const concerned = new Set(bases.map(({ family, table }) => `${family} ${table}`))
    const drop = findDrop(withTables(this.#nftables.list('list ruleset'), concerned), families, hook, packet)
    return drop === undefined ? undefined : this.#words(drop)
  }

  #words({ family, table, chain, handle }: Verdict): string {
    if (handle === undefined) return `the policy of chain ${chain}, nftables table ${family} ${table}`
    const line = this.#nftables.print(`list chain ${family} ${table} ${chain}`).split('\n').find((one) => one.trimEnd().endsWith(`# handle ${handle}`))
    return `rule "${line?.replace(/ # handle \d+\s*$/, '').trim() ?? `handle ${handle}`}" of chain ${chain}, nftables table ${family} ${table}`
  }

  /** Whether both tables are there. */
  isLaid(): boolean {
    return this.#kernel.hasChain('inet', this.#table, 'forward') && this.#kernel.hasChain('bridge', this.#table, 'forward')
  }

  /**
   * Lays everything again in one transaction, after somebody has flushed the ruleset (a reload of the host's own firewall does that):
   * at no moment is there half of it.
   */
  restore(): void {
    const bridges = [...this.#bridges.values()].map((rules) => writeBridge(this.#table, rules) + this.ports.bridge(rules.bridge, portSubnets(rules)))
    const endpoints = [...this.#endpoints.values()].map((rules) => writeEndpoint(this.#table, rules).text)
    this.#nftables.run(
      writeTablesRemoval(this.#table) + writeTables(this.#table, this.#guards.ipv4, this.#guards.ipv6) + this.ports.frame() + bridges.join('') + endpoints.join('') + writeLinks(this.#table, this.#links) + this.ports.contents(),
    )
  }

  /** The endpoints that the tables hold rules for; none when there are no tables. */
  listEndpoints(): ListedEndpoint[] {
    const checked = new Map<string, { hostInterface: string; mac: string; addresses: string[] }>()
    for (const [hostInterface = '', mac = '', address = ''] of [...this.#elements('addresses'), ...this.#elements('addresses6')]) {
      const endpoint = checked.get(hostInterface) ?? { hostInterface, mac, addresses: [] }
      checked.set(hostInterface, endpoint)
      if (address !== '::' && address !== linkLocalAddress(mac)) endpoint.addresses.push(address)
    }
    const others = [...this.#elements('apart'), ...this.#elements('checked')].map(([name = '']) => name).filter((name) => !checked.has(name))
    return [...checked.values(), ...[...new Set(others)].map((hostInterface) => ({ hostInterface, mac: undefined, addresses: undefined }))]
  }

  /** The bridges that the tables hold rules for. */
  listBridges(): string[] {
    return parseMapKeys(this.#nftables.list(`list map inet ${this.#table} bridges`))
  }

  /**
   * Chains of others that will drop what containers on `bridge` send and get, whatever our rules accept: netfilter drops a packet
   * when any table does. A table with a rule that names the bridge is taken to let it through. Rules of the old iptables
   * (ip_tables, not nf_tables) are not seen.
   */
  findConflicts(bridge: string): ForwardConflict[] {
    const drops = parseForwardDrops(this.#nftables.list('list chains'), this.#table)
    return drops.filter(({ family, table }) => !mentionsLink(this.#nftables.list(`list table ${family} ${table}`), bridge))
  }

  /**
   * The tables away, if they are there; forwarding is turned off again if it was turned on for engines and none is left. Bridges
   * are removed before.
   */
  remove(): void {
    const [guarded, guarded6] = [this.#isGuarded(strangersChain), this.#isGuarded(strangersChain6)]
    this.#nftables.run(writeTablesRemoval(this.#table))
    // One may come just now, and have found forwarding on.
    if (guarded && !this.#isGuarded(strangersChain)) {
      setForwarding(false)
      if (hasBridge()) setForwarding(true)
    }
    if (guarded6 && !this.#isGuarded(strangersChain6)) {
      turnOffForwardingIPv6()
      if (hasBridge()) turnOnForwardingIPv6([])
    }
  }

  [Symbol.dispose](): void {
    this.#kernel[Symbol.dispose]()
    this.#elementChanges[Symbol.dispose]()
    this.#nftables.close()
  }

  /** A set that another version of engine made otherwise cannot be changed: then all is laid anew, and filled by what follows. */
  #lay(guarded: boolean, guarded6: boolean): void {
    this.#guards = { ipv4: guarded, ipv6: guarded6 }
    const frame = writeTables(this.#table, guarded, guarded6) + this.ports.frame()
    try {
      this.#nftables.run(frame)
    } catch (error) {
      if (!(error instanceof NftablesError) || error.errno !== Errno.EEXIST) throw error
      this.#nftables.run(writeTablesRemoval(this.#table) + frame)
    }
  }

  /** What the kernel refuses is tried by the library: it has the better words. */
  #change({ text, elements }: EndpointChange): void {
    if (text === '') return
    try {
      this.#elementChanges.change(this.#table, elements, text)
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error
      this.#nftables.run(text)
    }
  }

  /** Whether an engine, this one or another, keeps strangers out. */
  #isGuarded(chain: string): boolean {
    return hasChain(this.#nftables.list('list chains inet'), chain)
  }

  #elements(set: string): string[][] {
    return parseSetElements(this.#nftables.list(`list set bridge ${this.#table} ${set}`))
  }
}

/** Of an internal network nothing is published. */
function portSubnets({ internal, subnets }: BridgeRules): Cidr[] {
  return internal ? [] : subnets.map(({ subnet }) => subnet)
}

/** Whether an engine has a bridge. */
function hasBridge(): boolean {
  using routing = new Routing()
  return routing.listLinks().some(({ kind, group }) => kind === 'bridge' && group === bridgeGroup)
}

/** What a user can do about a chain that drops containers' packets. */
export function conflictHint(conflict: ForwardConflict, bridge: string): string {
  if (conflict.family === 'ip' && conflict.table === 'filter' && conflict.chain === 'FORWARD') {
    return `let it through there: iptables -I FORWARD -i ${bridge} -j ACCEPT && iptables -I FORWARD -o ${bridge} -j ACCEPT (with Docker on this host put both into DOCKER-USER instead of FORWARD)`
  }
  const chain = `${conflict.family} ${conflict.table} ${conflict.chain}`
  return `let it through there: nft insert rule ${chain} iifname ${bridge} accept && nft insert rule ${chain} oifname ${bridge} accept`
}
