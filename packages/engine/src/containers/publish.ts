import type { EngineContext } from '../context.ts'
import type { Container, Sandbox } from './container.ts'

/** Tells of a container's coming to, or going from, its networks. */
export function publishNetwork(engine: EngineContext, container: Container, action: 'connect' | 'disconnect', sandbox: Sandbox): void {
  for (const { networkId } of sandbox.endpoints) {
    const network = engine.networks.records.find(({ id }) => id === networkId)
    if (network !== undefined) engine.events.publish('network', action, network.id, { container: container.id, name: network.name, type: network.driver })
  }
}

/** Tells of the volumes that a container begins to use, or lets go. */
export function publishVolumes(engine: EngineContext, container: Container, action: 'mount' | 'unmount'): void {
  for (const { point } of container.record.mounts) {
    if (point.Type !== 'volume' || point.Name === undefined) continue
    const used = { container: container.id, driver: point.Driver ?? 'local' }
    const how = { destination: point.Destination, propagation: point.Propagation, 'read/write': String(point.RW) }
    engine.events.publish('volume', action, point.Name, action === 'mount' ? { ...used, ...how } : used)
  }
}
