import type { EngineContext } from '../context.ts'
import type { Container } from './container.ts'

/** Bytes that a container has written, and those with its image's layers. */
export async function sizes(engine: EngineContext, container: Container): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const own = await engine.overlay.usage(container.id).catch(() => 0)
  return { SizeRw: own, SizeRootFs: container.record.layers.reduce((sum, id) => sum + engine.images.layerSize(id), own) }
}
