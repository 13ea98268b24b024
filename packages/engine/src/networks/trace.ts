import { isIPv4 } from 'node:net'
import { EngineError } from '@engine/linux'
import { Routing } from '@engine/linux/netlink'
import { findRoute, isUnspecified, listeners, type FoundRoute, type PublishedPort } from '@engine/network'
import type { EngineContext } from '../context.ts'
import type { Container, SandboxEndpoint } from '../containers/container.ts'
import { hasProcess } from '../containers/state.ts'
import type { TraceStep, TraceView } from '../types/trace-view.ts'
import { uplink } from './uplink.ts'

/** Who sends: a container, the host itself, or somebody beyond it. */
type Source = { readonly kind: 'container'; readonly container: Container } | { readonly kind: 'host' } | { readonly kind: 'outside' }

/** Where the way leads at the moment. */
interface Aim {
  readonly address: string
  readonly port: number
  /** Whose address it is; undefined: the host's, or somebody else's. */
  readonly container: Container | undefined
  readonly translated: boolean
}

type Protocol = 'tcp' | 'udp'

/**
 * Walks the way of a new connection's first packet over IPv4, as far as it gets: route, translation, rules of everybody's, bridge, namespace,
 * listener. Nothing is sent: routes, rules and sockets are read.
 * @param from a container, `host` or `outside`
 * @param to `container:port`, `address:port` or `host:port`; without a port up to the listener
 * @throws EngineError invalid-argument, not-found
 */
export async function traceWay(engine: EngineContext, from: string, to: string, protocol: Protocol): Promise<TraceView> {
  const source = readSource(engine, from)
  const steps: TraceStep[] = []
  const view = (): TraceView => ({ From: from, To: to, Protocol: protocol, Reaches: steps.every(({ Passes }) => Passes), Steps: steps })
  const passes = (step: TraceStep): boolean => {
    steps.push(step)
    return step.Passes
  }
  const first = aimOf(engine, source, to, protocol)
  if (!passes(sourceStep(source))) return view()
  if (!passes(destinationStep(first))) return view()
  const sandbox = source.kind === 'container' ? source.container.sandbox.key : undefined
  const route = source.kind === 'container' && !isHostMode(source.container) ? await findRoute(first.address, sandbox) : undefined
  if (sandbox !== undefined && route !== undefined && !passes(routeStep(first, route))) return view()
  if (sandbox !== undefined && route === undefined && !isHostMode(containerOf(source)) && !passes(noRoute(first))) return view()
  if (route?.local === true) {
    passes(listenerStep(containerOf(source).state.pid, first, protocol))
    return view()
  }
  const local = (await findRoute(first.address))?.local === true
  const aim = local ? translated(engine, source, first, protocol, steps) : first
  if (local && !aim.translated) {
    if (passes(filterStep(engine, 'input', source, aim, protocol, 'lo'))) passes(listenerStep('self', aim, protocol))
    return view()
  }
  const out = await findRoute(aim.address)
  if (out === undefined) {
    passes(noRoute(aim))
    return view()
  }
  const neighbours = source.kind === 'container' && !aim.translated && route?.gateway === undefined
  if (!passes(neighbours ? frameStep(engine, source.container, aim, protocol) : filterStep(engine, source.kind === 'host' ? 'output' : 'forward', source, aim, protocol, out.link))) return view()
  if (aim.container === undefined) {
    passes({ Step: 'route', Passes: true, Detail: `leaves this host by ${out.link}${out.gateway === undefined ? '' : `, for ${out.gateway}`}; what happens there is not known here` })
    return view()
  }
  if (passes(bridgeStep(aim.container, aim.address)) && passes(namespaceStep(aim.container)) && aim.port > 0) passes(listenerStep(aim.container.state.pid, aim, protocol))
  return view()
}

function readSource(engine: EngineContext, from: string): Source {
  if (from === 'host' || from === 'outside') return { kind: from }
  return { kind: 'container', container: engine.containers.find(from) }
}

function containerOf(source: Source): Container {
  if (source.kind !== 'container') throw new EngineError('internal', `${source.kind} is no container`)
  return source.container
}

function isHostMode({ record }: Container): boolean {
  return record.hostConfig.NetworkMode === 'host'
}

/** Reads where it is to go: a container's address that the source can know best, or what is written. */
function aimOf(engine: EngineContext, source: Source, to: string, protocol: Protocol): Aim {
  const match = /^(.+?)(?::(\d{1,5}))?$/.exec(to)
  const [name, port] = [match?.[1] ?? '', Number(match?.[2] ?? 0)]
  if (port > 65_535) throw new EngineError('invalid-argument', `invalid port: ${port}`)
  if (isIPv4(name)) return { address: name, port, container: ownerOf(engine, name), translated: false }
  if (name === 'host') return { address: source.kind === 'container' ? (source.container.sandbox.endpoints[0]?.gateway ?? '') : hostAddress(), port, container: undefined, translated: false }
  const container = engine.containers.find(name)
  if (isHostMode(container)) return { address: hostAddress(), port, container: undefined, translated: false }
  const published = source.kind === 'outside' ? container.sandbox.ports?.find((one) => one.protocol === protocol && one.containerPort === port && isIPv4(one.hostAddress)) : undefined
  if (published !== undefined) return { address: published.hostAddress === '0.0.0.0' ? hostAddress() : published.hostAddress, port: published.hostPort, container: undefined, translated: false }
  const own = source.kind === 'container' ? source.container.sandbox.endpoints.map(({ networkId }) => networkId) : []
  const endpoint = container.sandbox.endpoints.find(({ networkId }) => own.includes(networkId)) ?? container.sandbox.endpoints[0]
  return { address: endpoint?.lease?.address ?? '', port, container, translated: false }
}

function ownerOf(engine: EngineContext, address: string): Container | undefined {
  return engine.containers.all().find(({ sandbox }) => sandbox.endpoints.some(({ lease }) => lease?.address === address))
}

/** The address by which the host is known on the link that leads outside. */
function hostAddress(): string {
  using routing = new Routing()
  const uplink = routing.listRoutes().find(({ destination }) => destination === undefined)?.index
  const addresses = routing.listAddresses().filter(({ address }) => !address.startsWith('127.'))
  return (addresses.find(({ index }) => index === uplink) ?? addresses[0])?.address ?? '127.0.0.1'
}

function sourceStep(source: Source): TraceStep {
  if (source.kind === 'host') return { Step: 'source', Passes: true, Detail: 'this host' }
  if (source.kind === 'outside') return { Step: 'source', Passes: true, Detail: 'a machine beyond this host' }
  const { container } = source
  if (!hasProcess(container.state)) return { Step: 'source', Passes: false, Detail: `container ${container.name} is not running`, Hint: `engine start ${container.name}` }
  const addresses = container.sandbox.endpoints.flatMap(({ lease }) => (lease?.address === undefined ? [] : [`${lease.address} (${lease.containerInterface}, ${lease.hostInterface || 'no link'} on the host)`]))
  return { Step: 'source', Passes: true, Detail: `container ${container.name}: ${addresses.join(', ') || (isHostMode(container) ? "the host's network" : 'no network')}` }
}

function destinationStep({ address, port, container }: Aim): TraceStep {
  const at = port === 0 ? address : `${address}:${port}`
  if (container !== undefined && !hasProcess(container.state)) return { Step: 'destination', Passes: false, Detail: `container ${container.name} is not running`, Hint: `engine start ${container.name}` }
  if (address === '') return { Step: 'destination', Passes: false, Detail: `${container === undefined ? 'it' : `container ${container.name}`} has no address of IPv4: it is on no network`, Hint: 'engine network connect' }
  return { Step: 'destination', Passes: true, Detail: container === undefined ? at : `${at}, container ${container.name}` }
}

function routeStep({ address }: Aim, { link, gateway, local }: FoundRoute): TraceStep {
  return { Step: 'route', Passes: true, Detail: local ? `${address} is the container's own` : `${address} by ${link}${gateway === undefined ? ', on the link' : `, through ${gateway}`}` }
}

function noRoute({ address }: Aim): TraceStep {
  return { Step: 'route', Passes: false, Detail: `there is no route to ${address}: the network has no way out, or the two have no network in common`, Hint: 'engine network connect' }
}

/** A port of the host's that leads to a container. */
function translated(engine: EngineContext, source: Source, aim: Aim, protocol: Protocol, steps: TraceStep[]): Aim {
  const reaches = ({ hostAddress: at }: PublishedPort): boolean => isIPv4(at) && (isUnspecified(at) || at === aim.address)
  for (const [owner, ports] of engine.networks.ports.all()) {
    const port = ports.find((one) => one.protocol === protocol && one.hostPort === aim.port && reaches(one))
    const container = port === undefined ? undefined : engine.containers.get(owner)
    if (port === undefined || container === undefined) continue
    const loopback = aim.address.startsWith('127.')
    const passes = engine.networks.firewall.isLaid() && (!loopback || source.kind === 'host')
    const what = `${port.hostAddress}:${port.hostPort}/${protocol} is published by container ${container.name}: goes on to ${port.target}:${port.containerPort}`
    steps.push({ Step: 'translation', Passes: passes, Detail: passes ? what : loopback ? `${port.hostAddress} is only for the host itself` : 'the rules of engine are gone: somebody flushed the firewall' })
    return { address: port.target, port: port.containerPort, container, translated: true }
  }
  return aim
}

function filterStep(engine: EngineContext, hook: 'input' | 'forward' | 'output', source: Source, aim: Aim, protocol: Protocol, link: string): TraceStep {
  const endpoint = source.kind === 'container' ? source.container.sandbox.endpoints.find(({ lease }) => lease?.address !== undefined) : undefined
  const iifname = hook === 'output' ? '' : source.kind === 'container' ? bridgeOf(engine, endpoint) : source.kind === 'host' ? 'lo' : uplink()
  const packet = { iifname, oifname: hook === 'input' ? '' : link, saddr: endpoint?.lease?.address, daddr: aim.address, protocol, dport: aim.port, translated: aim.translated }
  const drop = engine.networks.firewall.findDrop(['ip', 'inet'], hook, packet)
  const hint = aim.container !== undefined && source.kind !== 'host' && !aim.translated ? { Hint: 'put both on one network, or publish the port' } : {}
  return drop === undefined ? { Step: 'filter', Passes: true, Detail: `no rule at hook ${hook} drops it` } : { Step: 'filter', Passes: false, Detail: `${drop} drops it`, ...hint }
}

/** Frames between two ports of one bridge are seen by tables of family bridge only. */
function frameStep(engine: EngineContext, from: Container, aim: Aim, protocol: Protocol): TraceStep {
  const target = aim.container?.sandbox.endpoints.find(({ lease }) => lease?.address === aim.address)
  const own = from.sandbox.endpoints.find(({ networkId }) => networkId === target?.networkId)
  const packet = { iifname: own?.lease?.hostInterface, oifname: target?.lease?.hostInterface, saddr: own?.lease?.address, daddr: aim.address, protocol, dport: aim.port, translated: false }
  const drop = engine.networks.firewall.findDrop(['bridge'], 'forward', packet)
  if (drop !== undefined) return { Step: 'filter', Passes: false, Detail: `${drop} drops it`, Hint: 'the network keeps its containers apart (com.docker.network.bridge.enable_icc=false)' }
  return { Step: 'filter', Passes: true, Detail: `no rule for frames on ${bridgeOf(engine, own)} drops it` }
}

function bridgeStep(container: Container, address: string): TraceStep {
  const lease = container.sandbox.endpoints.find((endpoint) => endpoint.lease?.address === address)?.lease
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

function namespaceStep({ name, state, sandbox }: Container): TraceStep {
  return { Step: 'namespace', Passes: hasProcess(state), Detail: `container ${name}, process ${state.pid}, ${sandbox.key}` }
}

function listenerStep(pid: number | 'self', { address, port }: Aim, protocol: Protocol): TraceStep {
  const at = listeners(pid, protocol, port)
  if (at.length === 0) return { Step: 'listener', Passes: false, Detail: `nothing listens on port ${port}/${protocol}`, Hint: 'is the program up, and is this its port?' }
  const reached = at.find((one) => one === address || isUnspecified(one) || one === '::ffff:0.0.0.0' || one === `::ffff:${address}`)
  if (reached === undefined) return { Step: 'listener', Passes: false, Detail: `port ${port}/${protocol} is served at ${at.join(', ')} only, not at ${address}`, Hint: 'let the program listen at 0.0.0.0' }
  return { Step: 'listener', Passes: true, Detail: `port ${port}/${protocol} is served at ${reached}` }
}

function bridgeOf(engine: EngineContext, endpoint: SandboxEndpoint | undefined): string {
  const network = endpoint === undefined ? undefined : engine.networks.get(endpoint.networkId)
  return network?.settings.bridge || engine.options.bridge
}
