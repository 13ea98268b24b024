import type { EngineContext } from '../context.ts'
import { notRunning } from './errors.ts'
import { hasProcess } from './state.ts'

/** Rows and columns as the kernel has them: 16 bits of each, as Docker cuts them. */
export function cells([rows, columns]: readonly [number, number]): readonly [number, number] {
  return [rows & 0xffff, columns & 0xffff]
}

/** Tells a container's terminal its size; without a terminal only the event is told, as Docker does. @throws EngineError conflict when it is not running */
export async function resizeContainer(engine: EngineContext, ref: string, rows: number, columns: number): Promise<void> {
  const container = engine.containers.find(ref)
  if (!hasProcess(container.state)) throw notRunning(container.id)
  if (container.record.config.Tty) await engine.shim.resize({ container: container.id }, ...cells([rows, columns]))
  engine.events.publish('container', 'resize', container.id, container.attributes({ height: String(rows), width: String(columns) }))
}
