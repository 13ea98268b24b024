import { Errno } from '../errno.ts'
import { EngineError } from '../error.ts'
import { failedWith } from '../syscall-error.ts'
import type { TracedValue } from '../tracer.ts'
import { parseAddress, writeAddress, writeAddressDump, type LinkAddress } from './address.ts'
import { AddressFamily } from './ip-address.ts'
import { parseLink, writeHairpin, writeLink, writeLinkDump, writeLinkQuery, type Link, type LinkSettings } from './link.ts'
import { MessageFlag } from './message.ts'
import { parseNeighbour, writeNeighbour, writeNeighbourDump, type Neighbour } from './neighbour.ts'
import { parseRoute, writeRoute, writeRouteDump, writeRouteQuestion, type Route, type RouteQuestion, type RouteSettings } from './route.ts'
import { parseRule, writeRuleDump, type RoutingRule } from './rule.ts'
import { NetlinkSocket } from './socket.ts'

/**
 * Links, addresses, routes and neighbours of the network namespace that its socket was made in: one kernel request a method.
 * All throw SyscallError `netlink RTM_…`.
 */
export class Routing implements Disposable {
  readonly #socket = new NetlinkSocket()

  /** Makes a link. @throws SyscallError EEXIST when the name is taken */
  createLink(settings: LinkSettings): void {
    this.#socket.request('RTM_NEWLINK', writeLink(settings), MessageFlag.CREATE | MessageFlag.EXCLUSIVE, () => linkArgs(settings))
  }

  /** Changes a link, by index or name. @throws SyscallError ENODEV */
  setLink(settings: LinkSettings): void {
    this.#socket.request('RTM_NEWLINK', writeLink(settings), 0, () => linkArgs(settings))
  }

  /** Lets a bridge's port send back what came in by it: a container then reaches itself at an address of the host's. @throws SyscallError ENODEV */
  setHairpin(name: string): void {
    const index = this.findLink({ name })?.index ?? 0
    this.#socket.request('RTM_SETLINK', writeHairpin(index), 0, () => ({ name, hairpin: true }))
  }

  /**
   * Takes a link away, and a veth's other end with it; nothing happens when there is none. The kernel takes some 30 ms for its
   * grace periods, during which another thread waits. The link is one of this thread's own namespace.
   * @returns whether it was there
   */
  async deleteLink(index: number): Promise<boolean> {
    using socket = new NetlinkSocket()
    try {
      await socket.requestApart('RTM_DELLINK', writeLinkQuery({ index }), 0, () => ({ index }))
      return true
    } catch (error) {
      if (failedWith(error, Errno.ENODEV)) return false
      throw error
    }
  }

  /**
   * The same for a link of this object's namespace, which need not be the thread's. Nothing else is asked of the object until it
   * is done.
   */
  async deleteOwnLink(index: number): Promise<boolean> {
    try {
      await this.#socket.requestApart('RTM_DELLINK', writeLinkQuery({ index }), 0, () => ({ index }))
      return true
    } catch (error) {
      if (failedWith(error, Errno.ENODEV)) return false
      throw error
    }
  }

  /** A link by name or index; undefined when there is none. */
  findLink(which: { readonly name: string } | { readonly index: number }): Link | undefined {
    try {
      const answer = this.#socket.request('RTM_GETLINK', writeLinkQuery(which), 0, () => ({ ...which }))
      return answer === undefined ? undefined : parseLink(answer.payload)
    } catch (error) {
      if (failedWith(error, Errno.ENODEV)) return undefined
      throw error
    }
  }

  /** All links, or the ports of the bridge with index `master`. */
  listLinks(master?: number): Link[] {
    return this.#socket.dump('RTM_GETLINK', writeLinkDump(master), () => (master === undefined ? {} : { master })).map(({ payload }) => parseLink(payload))
  }

  /** Gives a link an address. @throws SyscallError EEXIST when it has it already */
  addAddress(address: LinkAddress): void {
    this.#socket.request('RTM_NEWADDR', writeAddress(address), MessageFlag.CREATE | MessageFlag.EXCLUSIVE, () => addressArgs(address))
  }

  /** Takes an address from a link. @throws SyscallError EADDRNOTAVAIL */
  deleteAddress(address: LinkAddress): void {
    this.#socket.request('RTM_DELADDR', writeAddress(address), 0, () => addressArgs(address))
  }

  /** Addresses of one family, IPv4 unless told otherwise, of all links, or of one. */
  listAddresses(index?: number, family: number = AddressFamily.IPv4): LinkAddress[] {
    return this.#socket.dump('RTM_GETADDR', writeAddressDump(family, index), () => (index === undefined ? {} : { index })).map(({ payload }) => parseAddress(payload))
  }

  /** @throws SyscallError EEXIST when there is one like it; ENETUNREACH when the gateway cannot be reached */
  addRoute(route: RouteSettings): void {
    this.#socket.request('RTM_NEWROUTE', writeRoute(route), MessageFlag.CREATE | MessageFlag.EXCLUSIVE, () => routeArgs(route))
  }

  /** The same in place of a route to the same destination, if there is one. */
  replaceRoute(route: RouteSettings): void {
    this.#socket.request('RTM_NEWROUTE', writeRoute(route), MessageFlag.CREATE | MessageFlag.REPLACE, () => routeArgs(route))
  }

  /** Takes a route away. @returns whether it was there */
  deleteRoute(route: RouteSettings): boolean {
    try {
      this.#socket.request('RTM_DELROUTE', writeRoute(route), 0, () => routeArgs(route))
      return true
    } catch (error) {
      if (failedWith(error, Errno.ESRCH)) return false
      throw error
    }
  }

  /** Routes of one family, IPv4 unless told otherwise, of all tables. */
  listRoutes(family: number = AddressFamily.IPv4): Route[] {
    return this.#socket.dump('RTM_GETROUTE', writeRouteDump(family), () => ({})).map(({ payload }) => parseRoute(payload))
  }

  /**
   * The route that the kernel would take for a packet now, by all its rules (`ip route get`).
   * @throws SyscallError where it would take none: ENETUNREACH, EHOSTUNREACH, EACCES (a prohibition), EINVAL (a black hole), EXDEV (its
   * source is not behind that link: rp_filter)
   */
  lookUpRoute(question: RouteQuestion): Route {
    const answer = this.#socket.request('RTM_GETROUTE', writeRouteQuestion(question), 0, () => ({ destination: question.destination, source: question.source ?? '', from: question.from ?? 0 }))
    if (answer === undefined) throw new EngineError('internal', 'the kernel tells of no route')
    return parseRoute(answer.payload)
  }

  /** The rules of policy routing of a family, in their order. */
  listRules(family: number = AddressFamily.IPv4): RoutingRule[] {
    const rules = this.#socket.dump('RTM_GETRULE', writeRuleDump(family), () => ({})).map(({ payload }) => parseRule(payload))
    return rules.sort((a, b) => a.priority - b.priority)
  }

  /** IPv4 neighbours (the ARP table). */
  listNeighbours(): Neighbour[] {
    return this.#socket.dump('RTM_GETNEIGH', writeNeighbourDump(AddressFamily.IPv4), () => ({})).map(({ payload }) => parseNeighbour(payload))
  }

  /** Forgets a neighbour. @returns whether it was known */
  deleteNeighbour(index: number, address: string): boolean {
    try {
      this.#socket.request('RTM_DELNEIGH', writeNeighbour({ index, address, mac: undefined, state: 0 }), 0, () => ({ index, address }))
      return true
    } catch (error) {
      if (failedWith(error, Errno.ENOENT)) return false
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }
}

function linkArgs(settings: LinkSettings): Record<string, TracedValue> {
  const { peer, ipvlan, namespace, ...own } = settings
  const args: Record<string, TracedValue> = { ...own }
  if (namespace !== undefined) args['namespaceFd'] = namespace
  if (ipvlan !== undefined) args['ipvlan'] = `${ipvlan.mode} ${ipvlan.flag}`
  if (peer === undefined) return args
  args['peer'] = peer.name
  if (peer.mac !== undefined) args['peerMac'] = peer.mac
  if (peer.mtu !== undefined) args['peerMtu'] = peer.mtu
  if (peer.namespace !== undefined) args['peerNamespaceFd'] = peer.namespace
  return args
}

function addressArgs(address: LinkAddress): Record<string, TracedValue> {
  return { index: address.index, address: `${address.address}/${address.prefix}` }
}

function routeArgs(route: RouteSettings): Record<string, TracedValue> {
  const to = route.destination === undefined ? 'default' : `${route.destination.address}/${route.destination.prefix}`
  return route.gateway === undefined ? { to, index: route.index } : { to, gateway: route.gateway, index: route.index }
}
