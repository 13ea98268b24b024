import { EngineError } from '@engine/linux'
import { parseCidr, setDefaultRoutes, type Cidr } from '@engine/network'
import type { EngineContext } from '../context.ts'
import type { Container, EndpointRequest, SandboxEndpoint } from '../containers/container.ts'
import { checkedRequest, configuredSubnets } from '../containers/endpoint-requests.ts'
import { beingRemoved } from '../containers/errors.ts'
import { openLinks } from '../containers/open-links.ts'
import { publishPorts } from '../containers/publish-ports.ts'
import { updateNetworkFiles } from '../containers/network-files.ts'
import { hasProcess } from '../containers/state.ts'
import { withContainer } from '../ledger/cause.ts'
import { transaction } from '../state/database.ts'
import type { EndpointSettings } from '../types/container-config.ts'
import { chooseRoutes, routeOf } from './default-routes.ts'
import { openNames } from './names.ts'
import type { NetworkRecord } from './networks-table.ts'

const alone = 'container cannot be connected to multiple networks with one of the networks in private (none) mode'
const shared = 'container sharing network namespace with another container or host cannot be connected to any other network'

/**
 * Connects a container to a network: at once when it runs, else at its next start.
 * @throws EngineError in Docker's words
 */
export async function connectNetwork(engine: EngineContext, ref: string, containerRef: string, settings: EndpointSettings): Promise<void> {
  const container = engine.containers.find(containerRef)
  await container.lock.run(() =>
    withContainer(container.id, async () => {
      const network = engine.networks.find(ref)
      if (container.removing || container.state.status === 'removing' || container.state.status === 'dead') throw beingRemoved(container.id)
      checkCompany(container, network)
      const request = checkedRequest(subnetsOf(engine, network), network.name, settings)
      if (hasProcess(container.state)) return connectRunning(engine, container, network, request)
      // As with Docker, what it was connected with before stays.
      if (Object.hasOwn(container.record.endpoints, network.name)) return
      container.record.endpoints = { ...container.record.endpoints, [network.name]: request }
      engine.containers.saveEndpoints(container)
    }),
  )
}

/** Subnets that an address may be asked of; Docker takes those of the default network for named here, if not at create. */
function subnetsOf(engine: EngineContext, network: NetworkRecord): Cidr[] {
  if (network.name !== 'bridge') return configuredSubnets(network)
  const { subnet, ipv6 } = engine.networks.bridge
  return [subnet, ...(ipv6 === undefined ? [] : [ipv6.subnet])].map(parseCidr)
}

function checkCompany(container: Container, network: NetworkRecord): void {
  const { NetworkMode } = container.record.hostConfig
  if (NetworkMode.startsWith('container:') || NetworkMode === 'host') throw new EngineError('invalid-argument', shared)
  if (network.driver === 'host') throw new EngineError('invalid-argument', 'cannot connect container to host network - container must be created in host network mode')
  const others = Object.keys(container.record.endpoints).filter((name) => name !== network.name)
  if ((network.driver === 'null' && others.length > 0) || Object.hasOwn(container.record.endpoints, 'none')) throw new EngineError('invalid-argument', alone)
  if (container.sandbox.endpoints.some(({ networkId }) => networkId === network.id)) {
    throw new EngineError('forbidden', `endpoint with name ${container.name} already exists in network ${network.name}`)
  }
}

async function connectRunning(engine: EngineContext, container: Container, network: NetworkRecord, request: EndpointRequest): Promise<void> {
  const { sandbox, record } = container
  const before = record.endpoints
  const endpoint = engine.networks.allocate(network, request, sandbox.endpoints)
  const { lease } = endpoint
  const intent = engine.intents.begin('network connect', container.id, { interface: lease?.containerInterface ?? '' })
  try {
    record.endpoints = { ...before, [network.name]: request }
    container.connecting = [endpoint]
    if (lease !== undefined) await engine.networks.live(network.id)?.connect(sandbox.key, lease, { ipv4: false, ipv6: false })
    const endpoints = [...sandbox.endpoints, endpoint]
    await routeAnew(engine, container, endpoints)
    const ports = publishPorts(engine, container, endpoints)
    transaction(engine.db, () => {
      container.sandbox = { ...sandbox, endpoints, ports }
      engine.containers.saveEndpoints(container)
      engine.containers.saveState(container)
      engine.intents.end(intent)
    })
  } catch (error) {
    record.endpoints = before
    container.sandbox = sandbox
    await engine.networks.disconnect(sandbox.key, endpoint)
    await routeAnew(engine, container, sandbox.endpoints)
    publishPorts(engine, container, sandbox.endpoints)
    engine.intents.end(intent)
    throw error
  } finally {
    container.connecting = []
  }
  await openNames(engine, container, container.sandbox)
  updateNetworkFiles(engine, container)
  openLinks(engine)
  engine.events.publish('network', 'connect', network.id, { container: container.id, name: network.name, type: network.driver })
}

/** Makes a running container's default routes those of its endpoints. */
export async function routeAnew(engine: EngineContext, container: Container, endpoints: readonly SandboxEndpoint[]): Promise<void> {
  const { ipv4, ipv6 } = chooseRoutes(engine.networks, container, endpoints)
  await setDefaultRoutes(container.sandbox.key, { ipv4: routeOf(engine.networks, ipv4, 'ipv4'), ipv6: routeOf(engine.networks, ipv6, 'ipv6') })
}
