import type { EngineContext } from '../context.ts'
import type { Container } from './container.ts'
import { transition } from './state.ts'

/** Ends a restart that was to come; the container's lock is held. Nothing happens when there is none. */
export function cancelRestart(engine: EngineContext, container: Container): void {
  clearTimeout(container.restart?.timer)
  container.restart = undefined
  if (container.state.status === 'restarting') staysExited(engine, container)
}

/** A container that was to be started again is not: it has exited. */
export function staysExited(engine: EngineContext, container: Container): void {
  transition(container.id, container.state, 'exited')
  engine.containers.saveState(container)
  container.wake('stopped')
}
