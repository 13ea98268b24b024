import type { EngineContext } from '../context.ts'
import type { Container } from './container.ts'

/** Bytes that a container has written, and those with its image's layers. */
export async function sizes(engine: EngineContext, container: Container): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const [written, ...layers] = await Promise.all([container.id, ...container.record.layers].map((id) => engine.overlay.usage(id).catch(() => 0)))
  const own = written ?? 0
  return { SizeRw: own, SizeRootFs: layers.reduce((sum, size) => sum + size, own) }
}
