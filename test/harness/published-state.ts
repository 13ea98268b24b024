import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import type { TestDaemon } from './daemon.ts'

/** A published port as the database has it. */
export interface PublishedRow {
  readonly protocol: string
  readonly hostAddress: string
  readonly hostPort: number
  readonly containerPort: number
  readonly target: string
}

/** An element of nft's JSON: a set's, or a map's with its value. */
type Element = unknown

/** What the maps hold is compared port by port, not with the endpoints' elements. */
export const publishedHolders: ReadonlySet<string> = new Set(['any4', 'at4', 'ranges4', 'any6', 'at6', 'ranges6', 'relayed', 'relayed-loopback', 'relayed-ranges', 'relayed-loopback-ranges', 'relayed-at', 'routed4', 'routed6'])

/** So many ports of a container are kept by sockets. */
const mostHeld = 128

/** Every port that a set or map of the table leads somewhere, one by one: `tcp 0.0.0.0:8080 > 10.0.0.2:80`. */
export function publishedElements(name: string, elements: readonly Element[]): string[] {
  return elements.flatMap((element) => {
    const [key, value]: readonly unknown[] = Array.isArray(element) ? element : [element]
    const parts = concat(key)
    if (name.startsWith('relayed')) {
      const [address, ports] = name === 'relayed-at' ? [String(parts[0]), numbers(parts[1])] : [name.startsWith('relayed-loopback') ? '::1' : '::', numbers(parts[0])]
      return ports.map((port) => relayedPort(address, port))
    }
    if (name.startsWith('routed')) return [`${String(parts[1])} to ${String(parts[0])}:${String(parts[2])}`]
    const anywhere = name.endsWith('6') ? '::' : '0.0.0.0'
    const [protocol, ports] = parts.slice(-2)
    const address = parts.length === 2 ? anywhere : addressOf(parts[0], anywhere)
    const [target, to] = concat(value)
    return numbers(ports).map((port) => `${String(protocol)} ${address}:${port} > ${String(target)}:${String(to ?? port)}`)
  })
}

/** What the rules are to hold for these rows. */
export function expectedElements(rows: readonly PublishedRow[]): string[] {
  return rows.flatMap(({ protocol, hostAddress, hostPort, containerPort, target }) => {
    if (hostPort === 0) return [`${protocol} to ${target}:${containerPort}`]
    const relayed = isIPv6(hostAddress) && !isIPv6(target)
    const direct = relayed || hostAddress === '::1' ? [] : [`${protocol} ${hostAddress}:${hostPort} > ${target}:${containerPort}`]
    if (protocol !== 'tcp') return direct
    if (relayed) return [relayedPort(hostAddress, hostPort)]
    return hostAddress === '::' || hostAddress === '::1' ? [...direct, relayedPort('::1', hostPort)] : direct
  })
}

/** The sockets by which a daemon keeps ports: `tcp 0.0.0.0:8080`. The relay's own is none. */
export function heldSockets(daemon: TestDaemon): string[] {
  const listing = execFileSync('ss', ['-Htulnp'], { encoding: 'utf8' })
  const relay = /redirect to :(\d+)/.exec(execFileSync('nft', ['list', 'table', 'inet', daemon.table], { encoding: 'utf8' }))?.[1] ?? 'none'
  return listing.split('\n').filter((line) => line.includes(`pid=${daemon.pid()},`)).flatMap((line) => {
    const [protocol = '', , , , local = ''] = line.split(/\s+/)
    return local.endsWith(`:${relay}`) ? [] : [`${protocol} ${local.replace(/^\[(.*)\]/, '$1').replace('*', '::')}`]
  })
}

/** What is to be kept for one container. */
export function expectedSockets(rows: readonly PublishedRow[]): string[] {
  return rows.length > mostHeld ? [] : rows.filter(({ protocol, hostPort }) => protocol !== 'sctp' && hostPort !== 0).map(({ protocol, hostAddress, hostPort }) => `${protocol} ${hostAddress}:${hostPort}`)
}

/** Whether loopback addresses are routed over a bridge. */
export function routesLoopback(bridge: string): boolean {
  return readFileSync(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, 'utf8').trim() === '1'
}

/** Whether a port is published where the host's loopback reaches it. */
export function isOnLoopback({ hostAddress, hostPort, target }: PublishedRow): boolean {
  return !isIPv6(target) && hostPort !== 0 && (hostAddress === '0.0.0.0' || hostAddress.startsWith('127.'))
}

function relayedPort(address: string, port: number): string {
  return `tcp ${address}:${port} > the relay`
}

function concat(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null || !('concat' in value)) return value === undefined ? [] : [value]
  return Array.isArray(value.concat) ? value.concat : []
}

function numbers(value: unknown): number[] {
  if (typeof value !== 'object' || value === null || !('range' in value) || !Array.isArray(value.range)) return [Number(value)]
  const [first, last] = value.range.map(Number)
  return Array.from({ length: (last ?? 0) - (first ?? 0) + 1 }, (_, i) => (first ?? 0) + i)
}

function addressOf(value: unknown, anywhere: string): string {
  return typeof value === 'string' ? value : anywhere
}
