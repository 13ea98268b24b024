import type { EngineContext } from '../context.ts'
import type { ContainerChange } from '../interface.ts'

/** What a container has changed of its image's files; null for nothing. Volumes are not among it. */
export async function containerChanges(engine: EngineContext, ref: string): Promise<ContainerChange[] | null> {
  const container = engine.containers.find(ref)
  const changes = await engine.overlay.changes(container.id)
  return changes.length === 0 ? null : changes.map(({ path, kind }) => ({ Path: path, Kind: kind }))
}
