import type { EngineContext } from '../context.ts'
import { causedByEngine } from '../ledger/cause.ts'
import type { Container } from './container.ts'
import { removeContainer } from './remove.ts'
import { runContainer } from './start.ts'
import { transition } from './state.ts'

/** Starts a container again after a while, by its policy; the container is `restarting` until then. */
export function scheduleRestart(engine: EngineContext, container: Container, milliseconds: number): void {
  const timer = setTimeout(() => void restartNow(engine, container), milliseconds)
  container.restart = { timer }
}

async function restartNow(engine: EngineContext, container: Container): Promise<void> {
  await container.lock.run(() =>
    causedByEngine('restart policy', async () => {
      if (container.restart === undefined || container.state.status !== 'restarting' || engine.closing.aborted) return
      container.restart = undefined
      try {
        await runContainer(engine, container)
      } catch (error) {
        engine.options.log('error', { container: container.id, error: String(error) }, 'a container could not be started again by its restart policy')
        settle(engine, container)
      }
    }),
  )
}

/** Ends a restart that was to come; the container's lock is held. Nothing happens when there is none. */
export function cancelRestart(engine: EngineContext, container: Container): void {
  clearTimeout(container.restart?.timer)
  container.restart = undefined
  if (container.state.status === 'restarting') settle(engine, container)
}

/** The container has exited and stays so. */
function settle(engine: EngineContext, container: Container): void {
  transition(container.id, container.state, 'exited')
  engine.containers.saveState(container)
  container.wake('stopped')
  if (container.record.hostConfig.AutoRemove) autoRemove(engine, container)
}

/** Removes a container of `--rm`, once its lock is free. */
export function autoRemove(engine: EngineContext, container: Container): void {
  if (container.removing || container.keepOnExit) return
  removeContainer(engine, container, { force: true, volumes: true }).catch((error: unknown) => {
    engine.options.log('error', { container: container.id, error: String(error) }, 'a container that was to be removed at its end could not be')
  })
}
