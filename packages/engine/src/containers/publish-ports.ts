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
    if (ports.has(container.id)) return ports.move(container.id, target)
    return ports.open(container.id, portRequests(container.record), target)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EngineError('internal', `driver failed programming external connectivity on endpoint ${container.name} (${first?.id ?? ''}): ${why}`, { cause })
  }
}

/** Where ports lead: in each family the address of the endpoint with the default route, if its network translates. */
function targetOf(engine: EngineContext, container: Container, endpoints: readonly SandboxEndpoint[]): [SandboxEndpoint | undefined, PublishTarget] {
  const { ipv4, ipv6 } = chooseRoutes(engine.networks, container, endpoints)
  const [via4, via6] = [translates(engine, ipv4, 'mode4') ? ipv4 : undefined, translates(engine, ipv6, 'mode6') ? ipv6 : undefined]
  const first = via4 ?? via6
  const options = first === undefined ? {} : (engine.networks.get(first.networkId)?.settings.options ?? {})
  return [
    first,
    {
      address: via4?.lease?.address,
      address6: via6?.lease?.address6,
      hostInterfaces: [...new Set([via4, via6].flatMap((endpoint) => endpoint?.lease?.hostInterface ?? []))],
      defaultAddress: options['com.docker.network.bridge.host_binding_ipv4'] || engine.options.publishAddress || '0.0.0.0',
    },
  ]
}

function translates(engine: EngineContext, endpoint: SandboxEndpoint | undefined, mode: 'mode4' | 'mode6'): boolean {
  const network = endpoint === undefined ? undefined : engine.networks.get(endpoint.networkId)
  if (network === undefined || network.driver !== 'bridge' || network.settings.internal) return false
  const chosen = readBridgeOptions(network.settings.options, network.settings.internal)[mode]
  return chosen === undefined || chosen === 'nat' || chosen === 'nat-unprotected'
}
