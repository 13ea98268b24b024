import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import type { Container, SandboxEndpoint } from '../containers/container.ts'
import { beingRemoved } from '../containers/errors.ts'
import { openLinks } from '../containers/open-links.ts'
import { publishPorts } from '../containers/publish-ports.ts'
import { updateNetworkFiles } from '../containers/network-files.ts'
import { hasProcess } from '../containers/state.ts'
import { withContainer } from '../ledger/cause.ts'
import { routeAnew } from './connect.ts'
import { openNames } from './names.ts'
import type { NetworkRecord } from './networks-table.ts'

/**
 * Takes a container from a network, whether it runs or not.
 * @param force the network need not be there any more
 * @throws EngineError in Docker's words
 */
export async function disconnectNetwork(engine: EngineContext, ref: string, containerRef: string, force: boolean): Promise<void> {
  const container = findContainer(engine, containerRef, force)
  await container.lock.run(() =>
    withContainer(container.id, async () => {
      const network = findNetwork(engine, ref, force)
      if (container.removing || container.state.status === 'removing' || container.state.status === 'dead') throw beingRemoved(container.id)
      if (container.record.hostConfig.NetworkMode === 'host') throw new EngineError('invalid-argument', 'cannot disconnect container from host network - container was created in host network mode')
      const name = network?.name ?? ref
      const endpoint = container.sandbox.endpoints.find(({ networkId }) => networkId === network?.id)
      if (!Object.hasOwn(container.record.endpoints, name)) {
        throw new EngineError('conflict', `container ${container.id} is not connected to ${hasProcess(container.state) ? '' : 'the '}network ${name}`)
      }
      const { [name]: _gone, ...rest } = container.record.endpoints
      if (endpoint !== undefined && hasProcess(container.state)) await disconnectRunning(engine, container, endpoint, rest)
      else {
        container.record.endpoints = rest
        engine.containers.saveEndpoints(container)
      }
      if (network !== undefined) engine.events.publish('network', 'disconnect', network.id, { container: container.id, name: network.name, type: network.driver })
    }),
  )
}

async function disconnectRunning(engine: EngineContext, container: Container, endpoint: SandboxEndpoint, rest: Container['record']['endpoints']): Promise<void> {
  const endpoints = container.sandbox.endpoints.filter(({ id }) => id !== endpoint.id)
  // From here on it is not there for anybody; a crash is followed by taking away what is still there.
  const intent = engine.intents.begin('network disconnect', container.id, { interface: endpoint.lease?.containerInterface ?? '' }, () => {
    container.record.endpoints = rest
    container.sandbox = { ...container.sandbox, endpoints }
    engine.containers.saveEndpoints(container)
    engine.containers.saveState(container)
  })
  engine.names.removeEndpoint(endpoint.id)
  await engine.networks.disconnect(container.sandbox.key, endpoint)
  await routeAnew(engine, container, endpoints)
  container.sandbox = { ...container.sandbox, ports: publishPorts(engine, container, endpoints) }
  engine.containers.saveState(container)
  await openNames(engine, container, container.sandbox)
  updateNetworkFiles(engine, container)
  openLinks(engine)
  engine.intents.end(intent)
}

function findContainer(engine: EngineContext, ref: string, force: boolean): Container {
  try {
    return engine.containers.find(ref)
  } catch (error) {
    if (force && error instanceof EngineError && error.code === 'not-found') throw new EngineError('not-found', `endpoint ${ref} not found`, { cause: error })
    throw error
  }
}

function findNetwork(engine: EngineContext, ref: string, force: boolean): NetworkRecord | undefined {
  try {
    return engine.networks.find(ref)
  } catch (error) {
    if (force && error instanceof EngineError && error.code === 'not-found') return undefined
    throw error
  }
}
