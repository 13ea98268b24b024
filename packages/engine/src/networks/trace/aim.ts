import { isIP, isIPv4, isIPv6 } from 'node:net'
import { EngineError } from '@engine/linux'
import { AddressFamily, Routing } from '@engine/linux/netlink'
import { isRouted, isUnspecified, type EndpointLease } from '@engine/network'
import type { Container, SandboxEndpoint } from '../../containers/container.ts'
import type { EngineContext } from '../../context.ts'

export type TraceProtocol = 'tcp' | 'udp'
export type Family = 'ipv4' | 'ipv6'

/** Who sends: a container, the host itself, or somebody beyond it. */
export type Source = { readonly kind: 'container'; readonly container: Container } | { readonly kind: 'host' } | { readonly kind: 'outside' }

/** Where the way leads at the moment. */
export interface Aim {
  readonly address: string
  readonly port: number
  /** Whose address it is; undefined: the host's, or somebody else's. */
  readonly container: Container | undefined
  readonly translated: boolean
}

/** @throws EngineError not-found */
export function readSource(engine: EngineContext, from: string): Source {
  if (from === 'host' || from === 'outside') return { kind: from }
  return { kind: 'container', container: engine.containers.find(from) }
}

export function isHostMode({ record }: Container): boolean {
  return record.hostConfig.NetworkMode === 'host'
}

/** An endpoint's address of a family. */
export function addressOf(lease: Pick<EndpointLease, 'address' | 'address6'> | undefined, family: Family): string | undefined {
  return family === 'ipv4' ? lease?.address : lease?.address6
}

/** The family that is meant: of the address that is named; else IPv4, unless one of the two has no address of it. */
export function familyOf(engine: EngineContext, source: Source, to: string, wanted: Family | undefined): Family {
  const { name } = readPlace(to)
  if (isIP(name) !== 0) return isIPv6(name) ? 'ipv6' : 'ipv4'
  if (wanted !== undefined) return wanted
  const containers = [...(source.kind === 'container' ? [source.container] : []), ...(name === 'host' ? [] : [engine.containers.find(name)])].filter((one) => !isHostMode(one))
  const has = ({ sandbox }: Container, family: Family): boolean => sandbox.endpoints.some(({ lease }) => addressOf(lease, family) !== undefined)
  return containers.some((one) => !has(one, 'ipv4') && has(one, 'ipv6')) ? 'ipv6' : 'ipv4'
}

/** Reads where it is to go: a container's address that the source can know best, or what is written. @throws EngineError invalid-argument, not-found */
export function aimOf(engine: EngineContext, source: Source, to: string, protocol: TraceProtocol, family: Family): Aim {
  const { name, port } = readPlace(to)
  const place = (address: string, container?: Container, at = port): Aim => ({ address, port: at, container, translated: false })
  if (isIP(name) !== 0) return place(name, ownerOf(engine, name))
  if (name === 'host') {
    const first = source.kind === 'container' ? source.container.sandbox.endpoints[0] : undefined
    return place(first === undefined ? hostAddress(family) : family === 'ipv4' ? first.gateway : first.gateway6)
  }
  const container = engine.containers.find(name)
  if (isHostMode(container)) return place(hostAddress(family))
  if (source.kind === 'outside') {
    const published = container.sandbox.ports?.find((one) => one.protocol === protocol && one.containerPort === port && isIPv4(one.hostAddress) === (family === 'ipv4'))
    if (published !== undefined && isRouted(published)) return place(published.target, container)
    if (published !== undefined) return place(isUnspecified(published.hostAddress) ? hostAddress(family) : published.hostAddress, undefined, published.hostPort)
  }
  const own = source.kind === 'container' ? source.container.sandbox.endpoints.map(({ networkId }) => networkId) : []
  const reached = container.sandbox.endpoints.filter(({ lease }) => addressOf(lease, family) !== undefined)
  const endpoint = reached.find(({ networkId }) => own.includes(networkId)) ?? reached[0]
  return place(addressOf(endpoint?.lease, family) ?? '', container)
}

function readPlace(to: string): { readonly name: string; readonly port: number } {
  // An address of IPv6 may stand alone, or in brackets before its port.
  const match = isIPv6(to) ? [to, to] : (/^\[([0-9a-fA-F:.]+)\](?::(\d{1,5}))?$/.exec(to) ?? /^(.+?)(?::(\d{1,5}))?$/.exec(to))
  const [name, port] = [match?.[1] ?? '', Number(match?.[2] ?? 0)]
  if (port > 65_535) throw new EngineError('invalid-argument', `invalid port: ${port}`)
  return { name, port }
}

function ownerOf(engine: EngineContext, address: string): Container | undefined {
  return engine.containers.all().find(({ sandbox }) => sandbox.endpoints.some((endpoint) => holds(endpoint, address)))
}

/** Whether an endpoint has an address. */
export function holds({ lease }: SandboxEndpoint, address: string): boolean {
  return lease !== undefined && (lease.address === address || lease.address6 === address)
}

/** The address by which the host is known on the link that leads outside. */
function hostAddress(family: Family): string {
  using routing = new Routing()
  const [number, loopback] = family === 'ipv4' ? [AddressFamily.IPv4, '127.0.0.1'] : [AddressFamily.IPv6, '::1']
  const uplink = routing.listRoutes(number).find(({ destination }) => destination === undefined)?.index
  const addresses = routing.listAddresses(undefined, number).filter(({ scope }) => scope === 0)
  const own = addresses.filter(({ address }) => address !== loopback && !address.startsWith('127.'))
  return (own.find(({ index }) => index === uplink) ?? own[0])?.address ?? loopback
}
