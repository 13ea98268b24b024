import { isIPv4 } from 'node:net'
import { uplink } from '../networks/uplink.ts'
import type { EngineContext } from '../context.ts'
import type { ContainerRecord } from './container.ts'
import { portRequests, type PortRequest } from './port-bindings.ts'

/** So many rules are named; a range would fill the screen. */
const most = 3

/**
 * What the host's own firewall has to do with ports that a container publishes: rules of others that drop what comes for them, and rules
 * that keep the port closed for programs of the host, which a published port goes past.
 */
export function firewallWarnings(engine: EngineContext, record: ContainerRecord): string[] {
  const { NetworkMode } = record.hostConfig
  const network = engine.networks.records.find(({ id, name }) => name === NetworkMode || id === NetworkMode)
  if (network?.driver !== 'bridge') return []
  const bridge = network.settings.bridge || engine.options.bridge
  const iifname = uplink()
  const warnings: string[] = []
  for (const request of portRequests(record)) {
    if (warnings.length >= most) break
    const warning = isLoopback(request, engine.options.publishAddress) ? undefined : warningOf(engine, request, iifname, bridge)
    if (warning !== undefined) warnings.push(warning)
  }
  return warnings
}

function warningOf(engine: EngineContext, { protocol, containerPort, hostPorts }: PortRequest, iifname: string | undefined, bridge: string): string | undefined {
  const { firewall } = engine.networks
  const host = hostPorts?.[0]
  const shown = host === undefined ? `port ${containerPort}/${protocol} of the container` : `port ${host}/${protocol}`
  const forward = firewall.findDrop(['ip', 'inet'], 'forward', { iifname, oifname: bridge, protocol, dport: containerPort, translated: true }, true)
  if (forward !== undefined) return `${shown} is published, but nobody outside reaches it: ${forward} drops what comes for it`
  const input = host === undefined ? undefined : firewall.findDrop(['ip', 'inet'], 'input', { iifname, oifname: '', protocol, dport: host, translated: false }, true)
  if (input !== undefined) return `${shown} is open to everybody, though ${input} keeps it closed for programs of the host: a published port does not pass there. Publish it at 127.0.0.1 (-p 127.0.0.1:${host}:${containerPort}), or set "ip" in engine.json, to keep it to this host`
  return undefined
}

function isLoopback({ hostAddress }: PortRequest, standard: string | undefined): boolean {
  const address = hostAddress ?? standard ?? '0.0.0.0'
  return isIPv4(address) ? address.startsWith('127.') : address === '::1'
}
