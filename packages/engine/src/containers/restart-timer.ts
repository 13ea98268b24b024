import type { EngineContext } from '../context.ts'
import { causedByEngine } from '../ledger/cause.ts'
import type { Container } from './container.ts'
import { staysExited } from './pending-restart.ts'
import { runContainer } from './run.ts'

/** Starts a container again after a while, by its policy; the container is `restarting` until then. */
export function scheduleRestart(engine: EngineContext, container: Container, milliseconds: number): void {
  const timer = setTimeout(() => void restartNow(engine, container), milliseconds)
  container.restart = { timer }
}

/** A start that the policy has not asked for: it counts from here on. */
export function beginAnew(container: Container): void {
  container.state.restartCount = 0
  container.restartDelay = 0
}

async function restartNow(engine: EngineContext, container: Container): Promise<void> {
  // What a start makes must not be taken for what a crash has left.
  await engine.reconciled
  await container.lock.run(() =>
    causedByEngine('restart policy', async () => {
      if (container.restart === undefined || container.state.status !== 'restarting' || engine.closing.aborted) return
      container.restart = undefined
      try {
        await runContainer(engine, container)
      } catch (error) {
        engine.options.log('error', { container: container.id, error: String(error) }, 'a container could not be started again by its restart policy')
        staysExited(engine, container)
      }
    }),
  )
}
