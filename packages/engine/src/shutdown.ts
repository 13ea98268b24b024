import type { EngineContext } from './context.ts'
import type { Container } from './containers/container.ts'
import { cancelRestart } from './containers/pending-restart.ts'
import { killContainer } from './containers/signal.ts'
import { within } from './within.ts'
import { stopContainer } from './containers/stop.ts'
import { hasProcess } from './containers/state.ts'
import { causedByEngine } from './ledger/cause.ts'

/**
 * The engine ends. Containers run on under the shim, or are stopped first as Docker does at a host's shutdown: each with its stop
 * signal and time, all within the configured one.
 */
export async function shutDown(engine: EngineContext, stopContainers: boolean): Promise<void> {
  const containers = engine.containers.all()
  for (const container of containers) await container.lock.run(() => clearTimeout(container.restart?.timer))
  if (stopContainers) await causedByEngine('shutdown', () => Promise.all(containers.map((container) => stop(engine, container))))
  await Promise.all(containers.map(({ teardown }) => Promise.resolve(teardown)))
}

async function stop(engine: EngineContext, container: Container): Promise<void> {
  if (!hasProcess(container.state)) return container.lock.run(() => cancelRestart(engine, container))
  try {
    const stopped = stopContainer(engine, container.id, {})
    stopped.catch(() => undefined)
    if (await within(stopped, engine.options.shutdownTimeout * 1000)) return
    await killContainer(engine, container)
  } catch (error) {
    engine.options.log('warn', { container: container.id, error: String(error) }, 'a container could not be stopped')
  }
}
