import { z } from 'zod'
import { removeLeftBridge, removeSandboxLink } from '@engine/network'
import { updateNetworkFiles } from '../containers/network-files.ts'
import { publishPorts } from '../containers/publish-ports.ts'
import { hasProcess } from '../containers/state.ts'
import type { EngineContext } from '../context.ts'
import { routeAnew } from '../networks/connect.ts'
import type { Intent } from '../state/intents.ts'

const made = z.object({ bridge: z.string() })
const left = z.object({ interface: z.string().default('') })

/**
 * Settles what a crash broke off of a network's creation or removal, or of a running container's connect or disconnect: the
 * database has the outcome, the host is made to agree. Ports of bridges are looked after by the comparison with the leases.
 * @returns whether it was such an operation
 */
export async function settleNetworkIntent(engine: EngineContext, { operation, subject, detail }: Intent): Promise<boolean> {
  if (operation === 'network create' || operation === 'network remove') {
    const { bridge } = made.parse(detail)
    if (bridge !== '' && engine.networks.get(subject) === undefined) await removeLeftBridge(engine.networks.firewall, bridge)
    return true
  }
  if (operation !== 'network connect' && operation !== 'network disconnect') return false
  const container = engine.containers.get(subject)
  if (container === undefined || !hasProcess(container.state)) return true
  const { sandbox } = container
  const known = new Set(sandbox.endpoints.map(({ lease }) => lease?.containerInterface))
  const { interface: name } = left.parse(detail)
  if (name !== '' && !known.has(name)) await removeSandboxLink(sandbox.key, name)
  await routeAnew(engine, container, sandbox.endpoints)
  // A disconnection that was begun has struck the endpoint already, but not moved the ports that led to it.
  container.sandbox = { ...sandbox, ports: publishPorts(engine, container, sandbox.endpoints) }
  engine.containers.saveState(container)
  updateNetworkFiles(engine, container)
  return true
}
