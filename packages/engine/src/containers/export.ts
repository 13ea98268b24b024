import type { Readable } from 'node:stream'
import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import { containerMappings, isRemapped } from '../userns/container-ids.ts'

/**
 * The tar of a container's root, without volumes and mounts, as `docker export` gives it. The stream ends when it is destroyed.
 * @throws EngineError not-found; conflict for one that is being removed
 */
export async function exportContainer(engine: EngineContext, ref: string): Promise<Readable> {
  const container = engine.containers.find(ref)
  const { status } = container.state
  if (status === 'dead') throw new EngineError('conflict', `You cannot export container ${container.id} which is Dead`)
  if (status === 'removing') throw new EngineError('conflict', `You cannot export container ${container.id} which is being removed`)
  const root = await engine.overlay.hold(container.id, { mapped: isRemapped(engine, container.record.hostConfig) })
  const tar = engine.transfers.stream({ kind: 'view-archive', view: { root: root.merged, mounts: [], readOnlyRoot: false, ids: containerMappings(engine, container) }, path: '/.', name: '' })
  tar.once('close', () => {
    Promise.resolve(root[Symbol.asyncDispose]()).catch((error: unknown) => engine.options.log('warn', { id: container.id, error: String(error) }, 'an exported container could not be unmounted'))
  })
  engine.events.publish('container', 'export', container.id, container.attributes())
  return tar
}
