import { isIPv6 } from 'node:net'
import { findRoute, isRelayed, isRouted, isUnspecified, type PublishedPort } from '@engine/network'
import type { Container } from '../../containers/container.ts'
import type { EngineContext } from '../../context.ts'
import type { TraceStep, TraceView } from '../../types/trace-view.ts'
import { uplink, uplinkGateway } from '../uplink.ts'
import { addressOf, aimOf, familyOf, isHostMode, readSource, type Aim, type Family, type Source, type TraceProtocol } from './aim.ts'
import { bridgeStep, destinationStep, filterStep, frameStep, listenerStep, namespaceStep, noRoute, outsideStep, routeStep, sourceStep, type Crossing } from './steps.ts'

/** What a trace goes through, as far as it got. */
class Way {
  readonly steps: TraceStep[] = []

  /** @returns whether the way goes on */
  passes(step: TraceStep): boolean {
    this.steps.push(step)
    return step.Passes
  }
}

/**
 * Walks the way of a new connection's first packet, as far as it gets: route, translation, rules of everybody's, bridge, namespace,
 * listener. Nothing is sent: the kernel is asked for routes, rules and sockets are read.
 * @param from a container, `host` or `outside`
 * @param to `container:port`, `address:port`, `[address]:port` or `host:port`; without a port up to the listener
 * @param wanted the family; left out, that of the address, or IPv4 where both have it
 * @throws EngineError invalid-argument, not-found
 */
export async function traceWay(engine: EngineContext, from: string, to: string, protocol: TraceProtocol, wanted?: Family): Promise<TraceView> {
  const source = readSource(engine, from)
  const family = familyOf(engine, source, to, wanted)
  const way = new Way()
  await walk(engine, way, source, aimOf(engine, source, to, protocol, family), protocol, family)
  return { From: from, To: to, Protocol: protocol, Reaches: way.steps.every(({ Passes }) => Passes), Steps: way.steps }
}

async function walk(engine: EngineContext, way: Way, source: Source, first: Aim, protocol: TraceProtocol, family: Family): Promise<void> {
  if (!way.passes(sourceStep(source, family)) || !way.passes(destinationStep(first, family))) return
  const inside = source.kind === 'container' && !isHostMode(source.container) ? source.container : undefined
  const route = inside === undefined ? undefined : await findRoute({ address: first.address }, inside.sandbox.key)
  if (inside !== undefined && route !== undefined) {
    if ('refused' in route) return void way.passes(noRoute(route, true))
    if (!way.passes(routeStep(first, route))) return
    if (route.local) return void way.passes(listenerStep(inside.state.pid, first, protocol))
  }
  const crossing = crossingOf(engine, source, inside, route, family)
  const local = await isLocal(first.address)
  const aim = local ? translated(engine, way, source, first, protocol) : first
  if (aim === undefined) return
  if (local && !aim.translated) {
    if (way.passes(filterStep(engine, 'input', crossing, aim, protocol, ''))) way.passes(listenerStep('self', aim, protocol))
    return
  }
  if (local && isIPv6(first.address) && !isIPv6(aim.address)) return throughRelay(engine, way, crossing, first, aim, protocol)
  await deliver(engine, way, crossing, aim, protocol)
}

/** From the host's own network on to where it goes. */
async function deliver(engine: EngineContext, way: Way, crossing: Crossing, aim: Aim, protocol: TraceProtocol): Promise<void> {
  const onLink = crossing.container !== undefined && !aim.translated && crossing.onLink
  if (onLink) {
    if (!way.passes(frameStep(engine, crossing.container, aim, protocol))) return
  } else {
    const out = await findRoute({ address: aim.address, source: crossing.saddr, iif: crossing.saddr === undefined ? undefined : crossing.iifname })
    if ('refused' in out) return void way.passes(noRoute(out, false))
    if (out.rule !== undefined) way.passes({ Step: 'route', Passes: true, Detail: `${aim.address} by ${out.link}, by routing rule "${out.rule}"` })
    if (!way.passes(filterStep(engine, crossing.iifname === undefined ? 'output' : 'forward', crossing, aim, protocol, out.link))) return
    if (aim.container === undefined) return void way.passes(outsideStep(out))
  }
  const { container } = aim
  if (container === undefined) return
  if (way.passes(bridgeStep(container, aim.address)) && way.passes(namespaceStep(container)) && aim.port > 0) way.passes(listenerStep(container.state.pid, aim, protocol))
}

/** A connection over IPv6 that engined takes in, and carries on over IPv4 from the host. */
async function throughRelay(engine: EngineContext, way: Way, crossing: Crossing, first: Aim, aim: Aim, protocol: TraceProtocol): Promise<void> {
  const at = protocol === 'tcp' ? (engine.networks.ports.relayPort ?? 0) : first.port
  if (!way.passes(filterStep(engine, 'input', crossing, { ...first, port: at, translated: protocol === 'tcp' }, protocol, ''))) return
  if (!way.passes({ Step: 'relay', Passes: engine.networks.ports.relayPort !== undefined, Detail: `the container has no IPv6: engined carries it on from this host to ${aim.address}:${aim.port}` })) return
  await deliver(engine, way, { container: undefined, onLink: false, iifname: undefined, saddr: undefined }, aim, protocol)
}

/** How a packet comes to the host's rules. */
function crossingOf(engine: EngineContext, source: Source, inside: Container | undefined, route: Awaited<ReturnType<typeof findRoute>> | undefined, family: Family): Crossing {
  if (inside === undefined) {
    if (source.kind !== 'outside') return { container: undefined, onLink: false, iifname: undefined, saddr: undefined }
    // Some machine beyond the router; the router's own address stands for it.
    return { container: undefined, onLink: false, iifname: uplink(family), saddr: uplinkGateway(family) }
  }
  const by = route !== undefined && !('refused' in route) ? route : undefined
  const endpoint = inside.sandbox.endpoints.find(({ lease }) => lease?.containerInterface === by?.link) ?? inside.sandbox.endpoints.find(({ lease }) => addressOf(lease, family) !== undefined)
  const network = endpoint === undefined ? undefined : engine.networks.get(endpoint.networkId)
  return { container: inside, onLink: by?.gateway === undefined, iifname: network?.settings.bridge || engine.options.bridge, saddr: addressOf(endpoint?.lease, family) }
}

async function isLocal(address: string): Promise<boolean> {
  const route = await findRoute({ address })
  return 'local' in route && route.local
}

/** A port of the host's that leads to a container. @returns where to; the aim as it was where none does; undefined where the way ends */
function translated(engine: EngineContext, way: Way, source: Source, aim: Aim, protocol: TraceProtocol): Aim | undefined {
  const family = isIPv6(aim.address)
  const reaches = (port: PublishedPort): boolean => !isRouted(port) && isIPv6(port.hostAddress) === family && (isUnspecified(port.hostAddress) || port.hostAddress === aim.address)
  for (const [owner, ports] of engine.networks.ports.all()) {
    const port = ports.find((one) => one.protocol === protocol && one.hostPort === aim.port && reaches(one))
    const container = port === undefined ? undefined : engine.containers.get(owner)
    if (port === undefined || container === undefined) continue
    const loopback = aim.address.startsWith('127.') || aim.address === '::1'
    const passes = engine.networks.firewall.isLaid() && (!loopback || source.kind === 'host')
    const place = (address: string): string => (isIPv6(address) ? `[${address}]` : address)
    const what = `${place(port.hostAddress)}:${port.hostPort}/${protocol} is published by container ${container.name}: ${isRelayed(port) ? 'carried on' : 'goes on'} to ${place(port.target)}:${port.containerPort}`
    const detail = passes ? what : loopback && source.kind !== 'host' ? `${port.hostAddress} is only for the host itself` : 'the rules of engine are gone: somebody flushed the firewall'
    return way.passes({ Step: 'translation', Passes: passes, Detail: detail }) ? { address: port.target, port: port.containerPort, container, translated: true } : undefined
  }
  return aim
}

