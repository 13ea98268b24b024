import { isIPv6 } from 'node:net'
import { EngineError } from '@engine/linux'
import { HostPorts, Relay, ephemeralRange, hostHasIPv6, isFree, isRelayed, isRouted, isUnspecified, type Firewall, type PublishedPort } from '@engine/network'
import { AddressFamily, Routing, conntrack } from '@engine/linux/netlink'
import type { Transport } from '@engine/linux/inet-socket'
import type { EngineOptions } from '../interface.ts'
import type { PortRequest } from '../containers/port-bindings.ts'

/** Where a container's ports are to lead. */
export interface PublishTarget {
  readonly address?: string | undefined
  readonly address6?: string | undefined
  /** In which families there is no translation: ports are open at the container's own address. */
  readonly routed?: { readonly ipv4: boolean; readonly ipv6: boolean }
  /** The bridges' ports that it is behind. */
  readonly hostInterfaces: readonly string[]
  /** What stands for no address: the network's, or the daemon's (`ip` of engine.json). */
  readonly defaultAddress: string
}

/** Milliseconds after which connections are forgotten whose container is gone. */
const forgetAfter = 250

/**
 * The ports of the host that containers have: who has which, sockets that keep them, rules that lead them on, and the relay for what
 * rules cannot do. A container's ports are all open or none.
 */
export class PublishedPorts implements Disposable {
  readonly #firewall: Firewall
  readonly #log: EngineOptions['log']
  readonly #host = new HostPorts()
  readonly #routing = new Routing()
  /** By owner: as they are in the database. */
  readonly #ports = new Map<string, readonly PublishedPort[]>()
  /** By `tcp 80`: mostly one or two places, of both families. */
  readonly #taken = new Map<string, PublishedPort[]>()
  /** By protocol: after which port to look for the next that nobody asks for by number. */
  readonly #next = new Map<string, number>()
  readonly #ipv6 = hostHasIPv6()
  #relay: Relay | undefined
  /** Addresses to which ports no longer lead. */
  readonly #left = new Set<string>()
  #forgetting: NodeJS.Timeout | undefined

  constructor(firewall: Firewall, log: EngineOptions['log']) {
    this.#firewall = firewall
    this.#log = log
  }

  /** Makes it possible to carry IPv6 for containers that have none. @param program of the thread that does it */
  openRelay(program: string | URL): void {
    if (!this.#ipv6) return
    this.#relay = new Relay({ program, log: (level, message) => this.#log(level, {}, message) })
    this.#firewall.ports.setRelay(this.#relay.port)
  }

  /** Where the relay takes connections of TCP in; undefined where the host has no IPv6. */
  get relayPort(): number | undefined {
    return this.#relay?.port
  }

  /**
   * Publishes a container's ports. What fails is undone.
   * @returns what was opened, to be kept with the container
   * @throws EngineError internal, in Docker's words: a port is taken, all are, or the host has no such address
   */
  open(owner: string, requests: readonly PortRequest[], target: PublishTarget): PublishedPort[] {
    const opened: PublishedPort[] = []
    try {
      const isFixed = ({ hostPorts }: PortRequest): boolean => hostPorts !== undefined && hostPorts[0] === hostPorts[1]
      // Those that know their ports are taken together: of a long range the kernel's lists are read once.
      for (const request of requests.filter(isFixed)) for (const place of this.#places(request, target, request.hostPorts?.[0] ?? 0)) opened.push(this.#claim(place))
      this.#host.take(owner, opened.filter(isTranslated))
      for (const request of requests.filter((one) => !isFixed(one))) {
        const chosen = this.#choose(request, target)
        for (const place of chosen) opened.push(this.#claim(place))
        this.#host.take(owner, chosen.filter(isTranslated))
      }
      if (opened.length > 0) this.#letReachItself(target)
      this.#firewall.ports.open(owner, opened)
      this.#serve(owner, opened)
    } catch (error) {
      for (const port of opened) this.#unclaim(port)
      this.#release(owner)
      throw error
    }
    if (opened.length > 0) this.#ports.set(owner, opened)
    this.#forgetBefore(opened)
    return opened
  }

  /** Whether a container has ports open that can lead to another place: with ports of the host's as before, or without as before. */
  canMove(owner: string, target: PublishTarget): boolean {
    const ports = this.#ports.get(owner)
    return ports !== undefined && ports.every((port) => leadsTo(port.hostAddress, target).routed === isRouted(port))
  }

  /** Leads a container's open ports to another place; to none, they close. @returns what is open now */
  move(owner: string, target: PublishTarget | undefined): readonly PublishedPort[] {
    const before = this.#ports.get(owner) ?? []
    if (target === undefined) {
      this.close(owner)
      return []
    }
    const moved = before.flatMap((port): PublishedPort[] => {
      const { to } = leadsTo(port.hostAddress, target)
      return to === undefined ? [] : [{ ...port, target: to }]
    })
    if (moved.length > 0) this.#letReachItself(target)
    this.#firewall.ports.open(owner, moved)
    this.#serve(owner, moved)
    for (const port of before) this.#unclaim(port)
    for (const port of moved) this.#note(port)
    this.#ports.set(owner, moved)
    const now = new Set(moved.map(({ target: to }) => to))
    this.#forgetAnsweredBy(before.filter((port) => !now.has(port.target)))
    return moved
  }

  /** Takes up what a container has from before a restart of ours; `settle` makes the rules agree. @returns what another program has meanwhile */
  adopt(owner: string, ports: readonly PublishedPort[]): string | undefined {
    if (ports.length === 0) return undefined
    this.#ports.set(owner, ports)
    for (const port of ports) this.#note(port)
    try {
      this.#host.take(owner, ports.filter(isTranslated))
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    } finally {
      this.#serve(owner, ports)
    }
  }

  /** Makes the rules hold what containers have, and nothing else. */
  settle(): void {
    this.#firewall.ports.replace(this.#ports)
  }

  /** Closes a container's ports. Nothing happens when it has none. */
  close(owner: string): void {
    const ports = this.#ports.get(owner)
    if (ports === undefined) return
    this.#firewall.ports.close(owner)
    this.#release(owner)
    for (const port of ports) this.#unclaim(port)
    this.#ports.delete(owner)
    this.#forgetAnsweredBy(ports)
  }

  /** Connections end with what they were led to, those of TCP too: another container may have the address next. */
  #forgetAnsweredBy(ports: readonly PublishedPort[]): void {
    for (const { target } of ports) this.#left.add(target)
    // A search costs 14 ms of processor time: not one for each of many containers that come and go.
    this.#forgetting ??= setTimeout(() => {
      this.#forgetting = undefined
      const left = [...this.#left].filter((target) => !this.#leadsTo(target))
      this.#left.clear()
      for (const target of left) this.#forget(conntrack.forgetAnsweredBy(target, () => !this.#leadsTo(target)))
    }, forgetAfter).unref()
  }

  /** Whether a container has ports open at an address: what is answered there is its own. */
  #leadsTo(target: string): boolean {
    return [...this.#ports.values()].some((ports) => ports.some((port) => port.target === target))
  }

  /** Ports of the host's, with whose they are. */
  *all(): Generator<readonly [owner: string, ports: readonly PublishedPort[]]> {
    yield* this.#ports
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#forgetting)
    this.#relay?.[Symbol.dispose]()
    this.#host[Symbol.dispose]()
    this.#routing[Symbol.dispose]()
  }

  #serve(owner: string, ports: readonly PublishedPort[]): void {
    this.#relay?.serve(owner, ports, (port) => this.#host.socketOf(owner, port))
  }

  /** Nobody reads the sockets any more when they are closed. */
  #release(owner: string): void {
    this.#relay?.drop(owner)
    this.#host.release(owner)
  }

  /** What came for these ports before the rules were there would go on past them. TCP begins anew by itself, UDP does not. */
  #forgetBefore(ports: readonly PublishedPort[]): void {
    const udp = ports.filter((port) => port.protocol === 'udp' && isTranslated(port))
    for (const [family, ipv6] of [[AddressFamily.IPv4, false], [AddressFamily.IPv6, true]] as const) {
      const numbers = new Set(udp.filter(({ hostAddress }) => isIPv6(hostAddress) === ipv6).map(({ hostPort }) => hostPort))
      if (numbers.size > 0) this.#forget(conntrack.forgetTo(family, 'udp', numbers))
    }
  }

  #forget(work: Promise<number>): void {
    // A kernel without it (before 5.8) lets such connections end by themselves, a minute after their last packet.
    work.catch((error: unknown) => this.#log('debug', { error: String(error) }, 'connections could not be forgotten'))
  }

  #letReachItself({ hostInterfaces }: PublishTarget): void {
    for (const name of hostInterfaces) this.#routing.setHairpin(name)
  }

  /** The places that one binding means: both families where no address was named. */
  #places({ protocol, containerPort, hostAddress }: PortRequest, target: PublishTarget, hostPort: number): PublishedPort[] {
    if (!isTransport(protocol)) throw new EngineError('internal', 'unknown protocol')
    const address = hostAddress ?? target.defaultAddress
    const addresses = hostAddress === undefined && address === '0.0.0.0' ? (this.#ipv6 ? ['0.0.0.0', '::'] : ['0.0.0.0']) : [address]
    return addresses.flatMap((one): PublishedPort[] => {
      const { to, routed } = leadsTo(one, target)
      if (to === undefined) return []
      if (routed) return [{ protocol, hostAddress: isIPv6(one) ? '::' : '0.0.0.0', hostPort: 0, containerPort, target: to }]
      const place = { protocol, hostAddress: one, hostPort, containerPort, target: to }
      // Of SCTP nobody carries IPv6 to a container without it: it is not shown as if.
      if (protocol === 'sctp' && isRelayed(place)) {
        if (hostAddress === undefined) return []
        throw new EngineError('internal', `cannot publish ${one}:${hostPort}/sctp: the container has no address of IPv6`)
      }
      return [place]
    })
  }

  /** Finds a port for a binding that leaves the choice. */
  #choose(request: PortRequest, target: PublishTarget): PublishedPort[] {
    const [first, last] = request.hostPorts ?? ephemeralRange()
    const count = last - first + 1
    const next = request.hostPorts === undefined ? (this.#next.get(request.protocol) ?? first) : first
    const offset = next >= first && next <= last ? next - first : 0
    for (let i = 0; i < count; i++) {
      const port = first + ((offset + i) % count)
      const places = this.#places(request, target, port)
      const translated = places.filter(isTranslated)
      if (translated.some((place) => this.#holder(place) !== undefined) || !translated.every(isFree)) continue
      if (request.hostPorts === undefined) this.#next.set(request.protocol, port + 1)
      return places
    }
    throw new EngineError('internal', 'all ports are allocated')
  }

  #claim(place: PublishedPort): PublishedPort {
    if (isRouted(place)) return place
    const holder = this.#holder(place)
    if (holder !== undefined) throw new EngineError('internal', `Bind for ${holder.hostAddress}:${place.hostPort} failed: port is already allocated`)
    this.#note(place)
    return place
  }

  #note(place: PublishedPort): void {
    if (isRouted(place)) return
    const key = `${place.protocol} ${place.hostPort}`
    const places = this.#taken.get(key)
    if (places === undefined) this.#taken.set(key, [place])
    else places.push(place)
  }

  #unclaim(place: PublishedPort): void {
    const key = `${place.protocol} ${place.hostPort}`
    const places = this.#taken.get(key)?.filter((one) => one !== place) ?? []
    if (places.length === 0) this.#taken.delete(key)
    else this.#taken.set(key, places)
  }

  #holder({ protocol, hostPort, hostAddress }: PublishedPort): PublishedPort | undefined {
    const same = (one: PublishedPort): boolean => isIPv6(one.hostAddress) === isIPv6(hostAddress) && (one.hostAddress === hostAddress || isUnspecified(one.hostAddress) || isUnspecified(hostAddress))
    return this.#taken.get(`${protocol} ${hostPort}`)?.find(same)
  }
}

function isTranslated(port: PublishedPort): boolean {
  return !isRouted(port)
}

/** Where what comes to an address of the host's goes, in the container; and whether it comes there without the host's help. */
function leadsTo(hostAddress: string, { address, address6, routed }: PublishTarget): { readonly to: string | undefined; readonly routed: boolean } {
  if (!isIPv6(hostAddress)) return { to: address, routed: address !== undefined && routed?.ipv4 === true }
  if (address6 !== undefined) return { to: address6, routed: routed?.ipv6 === true }
  // By the relay, which translates.
  return { to: routed?.ipv4 === true ? undefined : address, routed: false }
}

function isTransport(protocol: string): protocol is Transport {
  return protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp'
}
