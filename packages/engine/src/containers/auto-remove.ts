import type { EngineContext } from '../context.ts'
import type { Container } from './container.ts'
import { removeContainer } from './remove.ts'

/** Removes a container of `--rm`, once its lock is free. */
export function autoRemove(engine: EngineContext, container: Container): void {
  if (container.removing || container.keepOnExit) return
  removeContainer(engine, container, { force: true, volumes: true }).catch((error: unknown) => {
    engine.options.log('error', { container: container.id, error: String(error) }, 'a container that was to be removed at its end could not be')
  })
}
