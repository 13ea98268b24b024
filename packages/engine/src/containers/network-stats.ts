import { readFileSync } from 'node:fs'
import type { NetworkStats } from '../types/container-stats.ts'
import type { EngineContext } from '../context.ts'
import type { Container } from './container.ts'

const namedBy = 'com.docker.network.endpoint.ifname'

/**
 * What the links carry that engine made for a container, or for the one whose network it shares; undefined when it has none.
 * The kernel shows any process's network in its own directory: nothing need enter the namespace.
 */
export function networkStats(engine: EngineContext, container: Container): Record<string, NetworkStats> | undefined {
  const owner = ownerOfNetwork(engine, container)
  if (owner === undefined || owner.record.hostConfig.NetworkMode === 'host') return undefined
  const given = new Set(Object.values(owner.record.endpoints).map(({ DriverOpts }) => DriverOpts?.[namedBy]))
  let table: string
  try {
    table = readFileSync(`/proc/${container.state.pid}/net/dev`, 'latin1')
  } catch {
    return undefined
  }
  const links = parseLinks(table).filter(([name]) => /^eth\d+$/.test(name) || given.has(name))
  return links.length === 0 ? undefined : Object.fromEntries(links)
}

function ownerOfNetwork(engine: EngineContext, container: Container): Container | undefined {
  const mode = container.record.hostConfig.NetworkMode
  return mode.startsWith('container:') ? engine.containers.get(mode.slice('container:'.length)) : container
}

/** Reads /proc/net/dev: two lines of headings, then `eth0: ` and sixteen numbers, eight received and eight sent. */
export function parseLinks(table: string): [name: string, stats: NetworkStats][] {
  return table.split('\n').slice(2).flatMap((line): [string, NetworkStats][] => {
    const colon = line.lastIndexOf(':')
    if (colon < 0) return []
    const numbers = line.slice(colon + 1).trim().split(/\s+/).map(Number)
    const [rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0] = numbers
    const [tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0] = numbers.slice(8)
    return [[line.slice(0, colon).trim(), { rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped }]]
  })
}
