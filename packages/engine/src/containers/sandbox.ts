import { randomBytes } from 'node:crypto'
import { EngineError } from '@engine/linux'
import { createSandbox, removeSandbox } from '@engine/network'
import type { EngineContext } from '../context.ts'
import { chooseRoutes } from '../networks/default-routes.ts'
import { closeNames, openNames } from '../networks/names.ts'
import type { NetworkRecord } from '../networks/networks-table.ts'
import { isRemapped } from '../userns/container-ids.ts'
import { noSandbox, type Container, type Sandbox, type SandboxEndpoint } from './container.ts'
import { openLinks } from './open-links.ts'
import { publishPorts } from './publish-ports.ts'
import { publishNetwork } from './publish.ts'

/**
 * Makes a container's network namespace and its places on networks; none for one that shares another's.
 * @param undo takes what ends it all
 * @param made a new network namespace of the container's user namespace
 * @throws EngineError in Docker's words
 */
export async function openSandbox(engine: EngineContext, container: Container, undo: AsyncDisposableStack, made?: number): Promise<Sandbox> {
  const mode = container.record.config.NetworkDisabled === true ? 'none' : container.record.hostConfig.NetworkMode
  if (mode.startsWith('container:')) return noSandbox
  const id = randomBytes(32).toString('hex')
  try {
    const networks = networksOf(engine, container, mode)
    const endpoints: SandboxEndpoint[] = []
    undo.defer(() => {
      for (const endpoint of endpoints) engine.networks.release(endpoint)
      container.connecting = []
      openLinks(engine)
    })
    undo.defer(() => publishNetwork(engine, container, 'disconnect', { id, key: '', endpoints }))
    container.connecting = endpoints
    for (const network of networks) endpoints.push(engine.networks.allocate(network, container.record.endpoints[network.name], endpoints))
    if (networks.some(({ driver }) => driver === 'host')) return { id, key: engine.paths.sandbox('default'), endpoints }
    const key = engine.paths.sandbox(id)
    undo.defer(() => removeSandbox(key))
    await createSandbox(key, { made, spare: engine.spareNamespace })
    const sandbox = { id, key, endpoints }
    undo.defer(() => closeNames(engine, sandbox))
    await connectAll(engine, container, key, endpoints)
    openLinks(engine)
    await openNames(engine, container, sandbox)
    undo.defer(() => engine.networks.ports.close(container.id))
    return { ...sandbox, ports: publishPorts(engine, container, endpoints) }
  } catch (cause) {
    if (!(cause instanceof EngineError)) throw cause
    throw new EngineError(cause.code, `failed to set up container networking: ${cause.message}`, { hint: cause.hint, cause })
  }
}

/** Whether a container's start makes a network namespace, and may take one that is there. */
export function wantsSpare(engine: EngineContext, { record: { hostConfig } }: Container): boolean {
  const { NetworkMode } = hostConfig
  return NetworkMode !== 'host' && !NetworkMode.startsWith('container:') && !isRemapped(engine, hostConfig)
}

async function connectAll(engine: EngineContext, container: Container, key: string, endpoints: readonly SandboxEndpoint[]): Promise<void> {
  const routes = chooseRoutes(engine.networks, container, endpoints)
  for (const endpoint of endpoints) {
    const { lease, networkId } = endpoint
    if (lease !== undefined) await engine.networks.live(networkId)?.connect(key, lease, { ipv4: routes.ipv4 === endpoint, ipv6: routes.ipv6 === endpoint })
  }
}

/** The networks that a container is to be on, that of its NetworkMode first, the others by name. @throws EngineError not-found */
function networksOf(engine: EngineContext, container: Container, mode: string): NetworkRecord[] {
  if (mode === 'none' || mode === 'host') return [engine.networks.find(mode)]
  const first = engine.networks.records.find(({ id, name }) => name === mode || id === mode)?.name ?? mode
  const names = Object.keys(container.record.endpoints).sort((a, b) => Number(b === first) - Number(a === first) || (a < b ? -1 : 1))
  return names.map((name) => engine.networks.find(name))
}
