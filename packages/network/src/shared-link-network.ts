import { randomInt } from 'node:crypto'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { Routing, type LinkSettings } from '@engine/linux/netlink'
import { inNetworkNamespace } from '@engine/linux/setns'
import { primeThreads } from '@engine/linux/unshare'
import { parseCidr, type Cidr } from './cidr.ts'
import { configureContainerEnd, openSandbox, type DefaultRoute } from './container-end.ts'
import type { FamilySettings } from './bridge-settings.ts'
import { createAddressPool, type AddressPool } from './ipam.ts'
import { leasedAddresses, type ConnectableNetwork, type DefaultRouteChoice, type EndpointLease } from './network-driver.ts'

/** How a container's link lies on the host's: with a MAC address of its own (macvlan), or with that one's (ipvlan). */
export type SharedLink =
  | { readonly kind: 'macvlan'; readonly mode: NonNullable<LinkSettings['macvlan']> }
  | { readonly kind: 'ipvlan'; readonly mode: NonNullable<LinkSettings['ipvlan']>['mode']; readonly flag: NonNullable<LinkSettings['ipvlan']>['flag'] }

export interface SharedLinkNetworkSettings {
  readonly link: SharedLink
  /** Name of the host's link. */
  readonly parent: string
  /** The parent is a dummy of the network's own: nothing goes in or out. */
  readonly ownParent: boolean
  /** The parent is a VLAN of the network's own on another link. */
  readonly vlan?: { readonly on: string; readonly id: number } | undefined
  /** No default route. */
  readonly internal: boolean
  /** Addresses of the routers with prefix length; left out without that family. */
  readonly address?: string | undefined
  readonly range?: string | undefined
  readonly family4?: FamilySettings | undefined
  readonly address6?: string | undefined
  readonly range6?: string | undefined
  readonly family6?: FamilySettings | undefined
  /** bytes; left out, the parent's */
  readonly mtu?: number | undefined
}

/**
 * A network of links on one of the host's (macvlan, ipvlan): containers are neighbours of the host in its own network. There are
 * no rules of ours, and no way between them and the host itself, which is how the kernel has it.
 */
export class SharedLinkNetwork implements ConnectableNetwork {
  readonly #settings: SharedLinkNetworkSettings

  constructor(settings: SharedLinkNetworkSettings) {
    this.#settings = settings
  }

  /**
   * Makes the parent where it is the network's own; else looks whether it is there.
   * @throws EngineError not-found without the parent, unavailable where the kernel lacks the kind of link
   */
  ensure(): void {
    const { parent, ownParent, vlan } = this.#settings
    using routing = new Routing()
    if (routing.findLink({ name: parent }) === undefined) {
      if (vlan !== undefined) makeLink(routing, { name: parent, kind: 'vlan', parent: indexOf(routing, vlan.on), vlan: vlan.id })
      else if (ownParent) makeLink(routing, { name: parent, kind: 'dummy' })
      else throw new EngineError('not-found', `invalid subinterface vlan name ${parent}, example formatting is eth0.10`, { hint: `there is no network interface ${parent}` })
    }
    if (ownParent || vlan !== undefined) routing.setLink({ name: parent, up: true })
  }

  /**
   * Tries out whether the kernel can make such links, when the network is made and not only when its first container starts.
   * @throws EngineError unavailable
   */
  async probe(): Promise<void> {
    using routing = new Routing()
    const name = `probe${randomInt(1e9)}`
    try {
      makeLink(routing, { ...this.#linkSettings(indexOf(routing, this.#settings.parent)), name })
    } catch (error) {
      if (error instanceof EngineError) throw error
      // A parent that takes no more links (passthru) has shown that it takes them.
      return
    }
    const link = routing.findLink({ name })
    if (link !== undefined) await routing.deleteLink(link.index)
  }

  pool(): AddressPool | undefined {
    return poolOf(this.#settings.address, this.#settings.range, this.#settings.family4)
  }

  pool6(): AddressPool | undefined {
    return poolOf(this.#settings.address6, this.#settings.range6, this.#settings.family6)
  }

  defaultRoute(lease: EndpointLease, family: 'ipv4' | 'ipv6'): DefaultRoute | undefined {
    const { link, internal, ownParent, address, address6, family4, family6 } = this.#settings
    const [router, settings, own] = family === 'ipv4' ? [address, family4, lease.address] : [address6, family6, lease.address6]
    if (internal || ownParent || router === undefined || own === undefined) return undefined
    // In these modes the parent routes for its links: there is no neighbour to ask.
    if (link.kind === 'ipvlan' && link.mode !== 'l2') return { containerInterface: lease.containerInterface }
    return { containerInterface: lease.containerInterface, gateway: settings?.router ?? parseCidr(router).address }
  }

  async connect(sandbox: string, lease: EndpointLease, routes: DefaultRouteChoice = { ipv4: true, ipv6: true }): Promise<void> {
    const { parent, mtu } = this.#settings
    await primeThreads()
    using namespace = openSandbox(sandbox)
    using routing = new Routing()
    makeLink(routing, {
      ...this.#linkSettings(indexOf(routing, parent)),
      name: lease.containerInterface,
      namespace: namespace.fd,
      ...(lease.mac === '' ? {} : { mac: lease.mac }),
      ...(mtu === undefined ? {} : { mtu }),
    })
    try {
      inNetworkNamespace(namespace.fd, () => {
        const [ipv4, ipv6] = [routes.ipv4 ? this.defaultRoute(lease, 'ipv4') : undefined, routes.ipv6 ? this.defaultRoute(lease, 'ipv6') : undefined]
        configureContainerEnd({ containerInterface: lease.containerInterface, addresses: this.#addressesOf(lease), sysctls: lease.sysctls, gateways: { ipv4: ipv4?.gateway, ipv6: ipv6?.gateway } })
        using inside = new Routing()
        for (const [route, isIPv6] of [[ipv4, false], [ipv6, true]] as const) {
          if (route !== undefined && route.gateway === undefined) inside.addRoute({ index: indexOf(inside, lease.containerInterface), ipv6: isIPv6, scope: linkScope })
        }
      })
    } catch (error) {
      await this.disconnect(sandbox, lease)
      throw error
    }
  }

  /** Nothing: the link ends with its sandbox. */
  release(): void {}

  async disconnect(sandbox: string, lease: EndpointLease): Promise<void> {
    await removeSandboxLink(sandbox, lease.containerInterface)
  }

  /** Takes the parent away where it is the network's own. */
  async remove(): Promise<void> {
    const { parent, ownParent, vlan } = this.#settings
    if (!ownParent && vlan === undefined) return
    using routing = new Routing()
    const link = routing.findLink({ name: parent })
    if (link?.kind === 'dummy' || link?.kind === 'vlan') await routing.deleteLink(link.index)
  }

  #linkSettings(parent: number): LinkSettings {
    const { link } = this.#settings
    return link.kind === 'macvlan' ? { kind: 'macvlan', parent, macvlan: link.mode } : { kind: 'ipvlan', parent, ipvlan: { mode: link.mode, flag: link.flag } }
  }

  #addressesOf(lease: EndpointLease): Cidr[] {
    const { address, address6 } = this.#settings
    return leasedAddresses(lease).map((own) => {
      if (lease.linkLocal?.includes(own) === true) return { address: own, prefix: own.includes(':') ? 64 : 16 }
      return { address: own, prefix: parseCidr((own.includes(':') ? address6 : address) ?? `${own}/${own.includes(':') ? 128 : 32}`).prefix }
    })
  }
}

const linkScope = 253

/** Takes a link of a sandbox away. Nothing happens when it, or the sandbox, is gone. */
export async function removeSandboxLink(sandbox: string, name: string): Promise<void> {
  await primeThreads()
  let routing: Routing
  try {
    using namespace = openSandbox(sandbox)
    routing = inNetworkNamespace(namespace.fd, () => new Routing())
  } catch (error) {
    if (error instanceof EngineError && error.code === 'not-found') return
    throw error
  }
  try {
    const link = routing.findLink({ name })
    if (link !== undefined) await routing.deleteOwnLink(link.index)
  } finally {
    routing[Symbol.dispose]()
  }
}

function makeLink(routing: Routing, settings: LinkSettings): void {
  try {
    routing.createLink(settings)
  } catch (cause) {
    if (failedWith(cause, Errno.EOPNOTSUPP)) {
      throw new EngineError('unavailable', `the kernel of this host has no links of kind ${settings.kind}`, { hint: `load the kernel's module ${settings.kind === 'vlan' ? '8021q' : settings.kind}, or use a bridge network`, cause })
    }
    if (failedWith(cause, Errno.EEXIST)) throw new EngineError('conflict', `network interface ${settings.name} exists already`, { cause })
    throw cause
  }
}

function indexOf(routing: Routing, name: string): number {
  const link = routing.findLink({ name })
  if (link === undefined) throw new EngineError('not-found', `there is no network interface ${name}`)
  return link.index
}

function poolOf(address: string | undefined, range: string | undefined, family: FamilySettings | undefined): AddressPool | undefined {
  if (address === undefined) return undefined
  const router = parseCidr(address)
  return createAddressPool({ subnet: router, gateway: router.address, range: range === undefined ? undefined : parseCidr(range), reserved: family?.reserved })
}
