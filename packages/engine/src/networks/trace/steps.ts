import { Routing } from '@engine/linux/netlink'
import { isUnspecified, listeners, type FoundRoute, type NoRoute } from '@engine/network'
import type { Container } from '../../containers/container.ts'
import { hasProcess } from '../../containers/state.ts'
import type { EngineContext } from '../../context.ts'
import type { TraceStep } from '../../types/trace-view.ts'
import { addressOf, holds, isHostMode, type Aim, type Family, type Source, type TraceProtocol } from './aim.ts'

/** How a packet comes to the host's rules. */
export interface Crossing {
  /** Whose it is; undefined: the host's, or somebody's outside. */
  readonly container: Container | undefined
  /** It goes to a neighbour on the bridge: no route of the host's is asked. */
  readonly onLink: boolean
  /** The link that it comes in by; undefined: the host sends it itself. */
  readonly iifname: string | undefined
  readonly saddr: string | undefined
}

export function sourceStep(source: Source, family: Family): TraceStep {
  if (source.kind === 'host') return { Step: 'source', Passes: true, Detail: 'this host' }
  if (source.kind === 'outside') return { Step: 'source', Passes: true, Detail: 'a machine beyond this host' }
  const { container } = source
  if (!hasProcess(container.state)) return { Step: 'source', Passes: false, Detail: `container ${container.name} is not running`, Hint: `engine start ${container.name}` }
  const addresses = container.sandbox.endpoints.flatMap(({ lease }) => {
    const address = addressOf(lease, family)
    return lease === undefined || address === undefined ? [] : [`${address} (${lease.containerInterface}, ${lease.hostInterface || 'no link'} on the host)`]
  })
  return { Step: 'source', Passes: true, Detail: `container ${container.name}: ${addresses.join(', ') || (isHostMode(container) ? "the host's network" : `no address of ${named(family)}`)}` }
}

export function destinationStep({ address, port, container }: Aim, family: Family): TraceStep {
  const at = port === 0 ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`
  if (container !== undefined && !hasProcess(container.state)) return { Step: 'destination', Passes: false, Detail: `container ${container.name} is not running`, Hint: `engine start ${container.name}` }
  if (address === '') return { Step: 'destination', Passes: false, Detail: `${container === undefined ? 'it' : `container ${container.name}`} has no address of ${named(family)}: it is on no network that has`, Hint: 'engine network connect' }
  return { Step: 'destination', Passes: true, Detail: container === undefined ? at : `${at}, container ${container.name}` }
}

export function routeStep({ address }: Aim, { link, gateway, local, rule }: FoundRoute): TraceStep {
  const by = rule === undefined ? '' : `, by routing rule "${rule}"`
  return { Step: 'route', Passes: true, Detail: local ? `${address} is the container's own` : `${address} by ${link}${gateway === undefined ? ', on the link' : `, through ${gateway}`}${by}` }
}

/** @param inside of a container: the network has no way out, or the two have none in common */
export function noRoute({ refused }: NoRoute, inside: boolean): TraceStep {
  if (inside && refused.startsWith('there is no route')) return { Step: 'route', Passes: false, Detail: `${refused}: the network has no way out, or the two have no network in common`, Hint: 'engine network connect' }
  return { Step: 'route', Passes: false, Detail: refused }
}

export function outsideStep({ link, gateway }: FoundRoute): TraceStep {
  return { Step: 'route', Passes: true, Detail: `leaves this host by ${link}${gateway === undefined ? '' : `, for ${gateway}`}; what happens there is not known here` }
}

/** @param oifname the link that it leaves by; '' where it stays */
export function filterStep(engine: EngineContext, hook: 'input' | 'forward' | 'output', { iifname, saddr, container }: Crossing, aim: Aim, protocol: TraceProtocol, oifname: string): TraceStep {
  const packet = { iifname: hook === 'output' ? '' : (iifname ?? 'lo'), oifname, saddr: container === undefined ? undefined : saddr, daddr: aim.address, protocol, dport: aim.port, translated: aim.translated }
  const drop = engine.networks.firewall.findDrop([aim.address.includes(':') ? 'ip6' : 'ip', 'inet'], hook, packet)
  const hint = aim.container !== undefined && iifname !== undefined && !aim.translated ? { Hint: 'put both on one network, or publish the port' } : {}
  return drop === undefined ? { Step: 'filter', Passes: true, Detail: `no rule at hook ${hook} drops it` } : { Step: 'filter', Passes: false, Detail: `${drop} drops it`, ...hint }
}

/** Frames between two ports of one bridge are seen by tables of family bridge only. */
export function frameStep(engine: EngineContext, from: Container | undefined, aim: Aim, protocol: TraceProtocol): TraceStep {
  const family: Family = aim.address.includes(':') ? 'ipv6' : 'ipv4'
  const target = aim.container?.sandbox.endpoints.find((endpoint) => holds(endpoint, aim.address))
  const own = from?.sandbox.endpoints.find(({ networkId }) => networkId === target?.networkId)
  const packet = { iifname: own?.lease?.hostInterface, oifname: target?.lease?.hostInterface, saddr: addressOf(own?.lease, family), daddr: aim.address, protocol, dport: aim.port, translated: false }
  const drop = engine.networks.firewall.findDrop(['bridge'], 'forward', packet)
  if (drop !== undefined) return { Step: 'filter', Passes: false, Detail: `${drop} drops it`, Hint: 'the network keeps its containers apart (com.docker.network.bridge.enable_icc=false)' }
  const network = own === undefined ? undefined : engine.networks.get(own.networkId)
  return { Step: 'filter', Passes: true, Detail: `no rule for frames on ${network?.settings.bridge || engine.options.bridge} drops it` }
}

export function bridgeStep(container: Container, address: string): TraceStep {
  const lease = container.sandbox.endpoints.find((endpoint) => holds(endpoint, address))?.lease
  if (lease === undefined || lease.hostInterface === '') return { Step: 'bridge', Passes: true, Detail: `${address} is not behind a bridge` }
  using routing = new Routing()
  const link = routing.findLink({ name: lease.hostInterface })
  const bridge = link?.master === undefined ? undefined : routing.findLink({ index: link.master })
  if (link === undefined) return { Step: 'bridge', Passes: false, Detail: `link ${lease.hostInterface} is gone`, Hint: `engine restart ${container.name}` }
  if (bridge === undefined) return { Step: 'bridge', Passes: false, Detail: `link ${lease.hostInterface} is a port of no bridge`, Hint: `engine restart ${container.name}` }
  const down = [bridge, link].find(({ up }) => !up)
  if (down !== undefined) return { Step: 'bridge', Passes: false, Detail: `link ${down.name} is down`, Hint: `ip link set ${down.name} up` }
  return { Step: 'bridge', Passes: true, Detail: `${bridge.name}, port ${lease.hostInterface}` }
}

export function namespaceStep({ name, state, sandbox }: Container): TraceStep {
  return { Step: 'namespace', Passes: hasProcess(state), Detail: `container ${name}, process ${state.pid}, ${sandbox.key}` }
}

export function listenerStep(pid: number | 'self', { address, port }: Aim, protocol: TraceProtocol): TraceStep {
  const at = listeners(pid, protocol, port)
  if (at.length === 0) return { Step: 'listener', Passes: false, Detail: `nothing listens on port ${port}/${protocol}`, Hint: 'is the program up, and is this its port?' }
  const reached = at.find((one) => one === address || one === '::' || (isUnspecified(one) && !address.includes(':')) || one === '::ffff:0.0.0.0' || one === `::ffff:${address}`)
  if (reached === undefined) {
    const hint = address.includes(':') ? 'let the program listen at ::' : 'let the program listen at 0.0.0.0'
    return { Step: 'listener', Passes: false, Detail: `port ${port}/${protocol} is served at ${at.join(', ')} only, not at ${address}`, Hint: hint }
  }
  return { Step: 'listener', Passes: true, Detail: `port ${port}/${protocol} is served at ${reached}` }
}

function named(family: Family): string {
  return family === 'ipv4' ? 'IPv4' : 'IPv6'
}
