import { EngineError } from '@engine/linux'
import type { PublishedPort } from '@engine/network'
import type { EngineContext } from '../context.ts'
import { chooseRoutes } from '../networks/default-routes.ts'
import { readBridgeOptions } from '../networks/driver-options.ts'
import type { PublishTarget } from '../networks/published-ports.ts'
import type { Container, SandboxEndpoint } from './container.ts'
import { portRequests } from './port-bindings.ts'

/**
 * Opens a container's ports on the host, through the networks that its packets leave by; those of before, when it has some, keep
 * their numbers. A container that has no way out publishes nothing.
 * @throws EngineError internal in Docker's words
 */
export function publishPorts(engine: EngineContext, container: Container, endpoints: readonly SandboxEndpoint[]): readonly PublishedPort[] {
  const { ports } = engine.networks
  const [first, target] = targetOf(engine, container, endpoints)
  try {
    if (first === undefined) return ports.move(container.id, undefined)
    if (ports.canMove(container.id, target)) return ports.move(container.id, target)
    ports.close(container.id)
    return ports.open(container.id, portRequests(container.record), target)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EngineError('internal', `driver failed programming external connectivity on endpoint ${container.name} (${first?.id ?? ''}): ${why}`, { cause })
  }
}

/** Where ports lead: in each family the address of the endpoint with the default route, if its network lets anybody in. */
function targetOf(engine: EngineContext, container: Container, endpoints: readonly SandboxEndpoint[]): [SandboxEndpoint | undefined, PublishTarget] {
  const { ipv4, ipv6 } = chooseRoutes(engine.networks, container, endpoints)
  const [mode4, mode6] = [publishingMode(engine, ipv4, 'mode4'), publishingMode(engine, ipv6, 'mode6')]
  const [via4, via6] = [mode4 === undefined ? undefined : ipv4, mode6 === undefined ? undefined : ipv6]
  const first = via4 ?? via6
  const options = first === undefined ? {} : (engine.networks.get(first.networkId)?.settings.options ?? {})
  return [
    first,
    {
      address: via4?.lease?.address,
      address6: via6?.lease?.address6,
      routed: { ipv4: mode4 === 'routed', ipv6: mode6 === 'routed' },
      hostInterfaces: [...new Set([via4, via6].flatMap((endpoint) => endpoint?.lease?.hostInterface ?? []))],
      defaultAddress: options['com.docker.network.bridge.host_binding_ipv4'] || engine.options.publishAddress || '0.0.0.0',
    },
  ]
}

/** How a network publishes; undefined when it does not. */
function publishingMode(engine: EngineContext, endpoint: SandboxEndpoint | undefined, mode: 'mode4' | 'mode6'): 'nat' | 'routed' | undefined {
  const network = endpoint === undefined ? undefined : engine.networks.get(endpoint.networkId)
  if (network === undefined || network.driver !== 'bridge' || network.settings.internal) return undefined
  const chosen = readBridgeOptions(network.settings.options, network.settings.internal)[mode]
  return chosen === 'isolated' ? undefined : chosen === 'routed' ? 'routed' : 'nat'
}
