import { startsWithDaemon } from '../containers/restart-policy.ts'
import { autoRemove } from '../containers/auto-remove.ts'
import { beginAnew } from '../containers/restart-timer.ts'
import { follow } from '../containers/follow-resolv-conf.ts'
import { runContainer } from '../containers/run.ts'
import { hasProcess } from '../containers/state.ts'
import type { Container } from '../containers/container.ts'
import type { EngineContext } from '../context.ts'
import { causedByEngine } from '../ledger/cause.ts'
import { settleIntents } from './intents.ts'
import { removeLeftovers } from './leftovers.ts'
import { reconcileProcesses } from './processes.ts'

/**
 * Brings the database and the host together, at the start: containers that run are taken up again, ends that nobody saw are
 * recorded, interrupted operations are finished or undone, and what belongs to nothing is removed. The API is not served yet.
 */
export async function reconcile(engine: EngineContext): Promise<void> {
  await causedByEngine('reconcile', async () => {
    for (const container of engine.containers.all()) {
      if (!hasProcess(container.state)) continue
      for (const endpoint of container.sandbox.endpoints) engine.networks.adopt(endpoint)
      const taken = engine.networks.ports.adopt(container.id, container.sandbox.ports ?? [])
      if (taken !== undefined) engine.options.log('warn', { container: container.id }, `another program has a port that the container publishes, and gets nothing there: ${taken}`)
    }
    // What follows closes ports, and moves them: it has to find the rules as the rows are.
    engine.networks.ports.settle()
    for (const [id, health] of engine.health.all()) {
      const container = engine.containers.get(id)
      if (container !== undefined) container.health = health
    }
    await reconcileProcesses(engine, await engine.shim.list(), { openLogs: true })
    await Promise.all(engine.containers.all().map(({ teardown }) => Promise.resolve(teardown)))
    await settleIntents(engine)
    await nameAgain(engine)
    settleStates(engine)
    await removeLeftovers(engine)
  })
}

/** Answers for names in the sandboxes of containers that go on running, by the host's nameservers as they are now. */
async function nameAgain(engine: EngineContext): Promise<void> {
  for (const container of engine.containers.all()) {
    try {
      await follow(engine, container)
    } catch (error) {
      engine.options.log('error', { container: container.id, error: String(error) }, 'nobody answers for names in a container')
    }
  }
}

/** States that only a running engine can be in become what they lead to. */
function settleStates(engine: EngineContext): void {
  for (const container of engine.containers.all()) {
    const { state } = container
    if (state.status === 'restarting' && container.restart === undefined) state.status = 'exited'
    else if (state.status === 'removing') state.status = 'dead'
    else continue
    engine.containers.saveState(container)
  }
}

/** Starts what is to run by its restart policy, and removes what was to be removed at its end. Goes on in the background. */
export function startByPolicy(engine: EngineContext): void {
  for (const container of engine.containers.all()) {
    const { state, record } = container
    // One that never ran waits for its first start by a client.
    if (state.status !== 'exited' || container.removing) continue
    if (startsWithDaemon(record.hostConfig.RestartPolicy, state)) void startAgain(engine, container)
    else if (record.hostConfig.AutoRemove) autoRemove(engine, container)
  }
}

async function startAgain(engine: EngineContext, container: Container): Promise<void> {
  await container.lock.run(() =>
    causedByEngine('restart policy', async () => {
      if (hasProcess(container.state) || container.removing || engine.closing.aborted) return
      beginAnew(container)
      try {
        await runContainer(engine, container)
      } catch (error) {
        engine.options.log('error', { container: container.id, error: String(error) }, 'a container could not be started by its restart policy')
      }
    }),
  )
}
