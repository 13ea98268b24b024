import { readFileSync } from 'node:fs'
import { EngineError, Errno, SyscallError, failedWith } from '@engine/linux'
import type { Descriptor } from '@engine/linux/descriptor'
import { holdPort, tellDestinations, type Transport } from '@engine/linux/inet-socket'
import { parseIpAddress } from '@engine/linux/netlink'
import { readSysctl } from '@engine/linux/sysctl'
import { isIPv6 } from 'node:net'
import { isUnspecified, needsRelay, type PublishedPort } from './published-port.ts'

/** An owner's ports that are at most so many are kept by sockets: other programs then find them taken, and `ss` shows them. */
const mostHeld = 128
const listening = '0A'
const refusals = new Map<number, string>([[Errno.EADDRINUSE, 'address already in use'], [Errno.EADDRNOTAVAIL, 'cannot assign requested address'], [Errno.EPROTONOSUPPORT, 'protocol not supported'], [Errno.EINVAL, 'invalid argument']])

/** A place on the host that is to be published; with `to` and `target` as an error shows it. */
export type HostPlace = Pick<PublishedPort, 'protocol' | 'hostAddress' | 'hostPort' | 'containerPort' | 'target'>

/**
 * The host's ports: what other programs have, and what is kept from them for containers. No packet comes to a socket that is held
 * here, for the rules lead it elsewhere before; but those of UDP over IPv6 that the rules leave to the relay.
 */
export class HostPorts implements Disposable {
  readonly #held = new Map<string, { readonly place: HostPlace; readonly socket: Descriptor }[]>()

  /**
   * Takes places for an owner: all or none.
   * @throws EngineError internal, in Docker's words, when another program has one, or when the host has no such address
   */
  take(owner: string, places: readonly HostPlace[]): void {
    const many = places.length > mostHeld
    using open = new DisposableStack()
    if (many) checkAgainstList(places)
    const held = (many ? places.filter(isReadHere) : places).map((place) => ({ place, socket: open.use(bind(place)) }))
    for (const { place, socket } of held) if (isReadHere(place)) tellDestinations(socket.fd)
    open.move()
    if (held.length > 0) this.#held.set(owner, [...(this.#held.get(owner) ?? []), ...held])
  }

  /** The socket that keeps a place; undefined when none does. */
  socketOf(owner: string, { protocol, hostAddress, hostPort }: HostPlace): number | undefined {
    const found = this.#held.get(owner)?.find(({ place }) => place.hostPort === hostPort && place.hostAddress === hostAddress && place.protocol === protocol)
    return found?.socket.fd
  }

  /** Gives an owner's places back. */
  release(owner: string): void {
    for (const { socket } of this.#held.get(owner) ?? []) socket.close()
    this.#held.delete(owner)
  }

  [Symbol.dispose](): void {
    for (const owner of this.#held.keys()) this.release(owner)
  }
}

/** Whether a place is free of other programs. */
export function isFree(place: HostPlace): boolean {
  try {
    bind(place).close()
    return true
  } catch (error) {
    if (error instanceof EngineError && failedWith(error.cause, Errno.EADDRINUSE)) return false
    throw error
  }
}

/** The ports that the kernel, and so Docker, takes where nobody asks for one. */
export function ephemeralRange(): readonly [first: number, last: number] {
  const [first = 32_768, last = 60_999] = readSysctl('net/ipv4/ip_local_port_range').split(/\s+/).map(Number)
  return [first, last]
}

/** Whether the host has IPv6 at all. */
export function hostHasIPv6(): boolean {
  try {
    holdPort('tcp', '::1', 0).close()
    return true
  } catch (error) {
    if (error instanceof SyscallError) return false
    throw error
  }
}

/** Whether the relay reads the socket that keeps a place. */
function isReadHere(place: HostPlace): boolean {
  return place.protocol === 'udp' && needsRelay(place)
}

function bind(place: HostPlace): Descriptor {
  try {
    return holdPort(place.protocol, place.hostAddress, place.hostPort)
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    throw refused(place, refusals.get(error.errno) ?? error.message, error)
  }
}

/** So many ports are compared with the kernel's lists of sockets, read once, instead of being bound. */
function checkAgainstList(places: readonly HostPlace[]): void {
  const [first] = places
  if (first === undefined) return
  // Whether the host has the addresses, and the protocol.
  for (const place of new Map(places.map((one) => [`${one.protocol} ${one.hostAddress}`, one])).values()) bind({ ...place, hostPort: 0 }).close()
  const taken = new Map<string, Set<string>>()
  for (const place of places) {
    const list = `${place.protocol}${isIPv6(place.hostAddress) ? '6' : ''}`
    let ports = taken.get(list)
    if (ports === undefined) taken.set(list, (ports = boundPorts(list, place.protocol)))
    const anywhere = hexAddress(isIPv6(place.hostAddress) ? '::' : '0.0.0.0')
    const port = place.hostPort.toString(16).toUpperCase().padStart(4, '0')
    const found = isUnspecified(place.hostAddress) ? ports.has(port) : ports.has(`${anywhere}:${port}`) || ports.has(`${hexAddress(place.hostAddress)}:${port}`)
    if (found) throw refused(place, 'address already in use')
  }
}

/** Ports that sockets are bound to, as `PORT` and `ADDRESS:PORT`, in hexadecimal as /proc/net/tcp has them (proc(5)). */
function boundPorts(list: string, protocol: Transport): Set<string> {
  const ports = new Set<string>()
  for (const line of readList(list).split('\n').slice(1)) {
    const [, local = '', , state] = line.trim().split(/\s+/)
    if (protocol === 'tcp' && state !== listening) continue
    ports.add(local)
    ports.add(local.slice(local.lastIndexOf(':') + 1))
  }
  return ports
}

function readList(list: string): string {
  try {
    return readFileSync(`/proc/net/${list}`, 'utf8')
  } catch {
    return ''
  }
}

/** An address as /proc/net shows it: 32-bit words in the machine's order. */
function hexAddress(address: string): string {
  const bytes = parseIpAddress(address)
  return Array.from({ length: bytes.length / 4 }, (_, word) => bytes.readUInt32LE(word * 4).toString(16).toUpperCase().padStart(8, '0')).join('')
}

function refused(place: HostPlace, why: string, cause?: SyscallError): EngineError {
  const address = isIPv6(place.hostAddress) ? `[${place.hostAddress}]` : place.hostAddress
  const target = isIPv6(place.target) ? `[${place.target}]` : place.target
  return new EngineError('internal', `failed to bind host port for ${address}:${place.hostPort}:${target}:${place.containerPort}/${place.protocol}: ${why}`, { cause })
}
