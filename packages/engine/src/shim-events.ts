import type { ShimEvent } from '@engine/runtime'
import { containerExited } from './containers/exit.ts'
import type { EngineContext } from './context.ts'
import { execExited } from './execs/start.ts'
import { causedByEngine } from './ledger/cause.ts'
import { reconcileProcesses } from './reconcile/processes.ts'

/** Does what the shim's messages ask for. Before anything is started. */
export function followShim(engine: EngineContext): void {
  engine.shim.onEvent((event) => {
    follow(engine, event).catch((error: unknown) => engine.options.log('error', { container: event.container, event: event.event, error: String(error) }, 'a message of the shim could not be followed'))
  })
  engine.shim.onLost((adopted) => {
    engine.options.log('warn', {}, 'the shim died; another one has taken over')
    causedByEngine('shim lost', () => reconcileProcesses(engine, adopted, { openLogs: false })).catch((error: unknown) =>
      engine.options.log('error', { error: String(error) }, 'containers could not be compared with the new shim'),
    )
  })
}

async function follow(engine: EngineContext, event: ShimEvent): Promise<void> {
  const container = engine.containers.get(event.container)
  switch (event.event) {
    case 'output':
      return engine.pump.notify(event.exec ?? event.container)
    case 'oom':
      if (container === undefined) return
      container.oomReported = true
      return engine.events.publish('container', 'oom', container.id, container.attributes())
    case 'exit': {
      if (event.exec === undefined) {
        if (container !== undefined) await containerExited(engine, container, event.pid, event.status)
        return
      }
      const exec = engine.execs.get(event.exec)
      if (exec !== undefined) await execExited(engine, exec, event.status)
      return
    }
    case 'blocked':
      // A flooder is held up all the time.
      return engine.options.log(event.reason === 'spool-full' ? 'debug' : 'warn', { container: event.container, exec: event.exec, reason: event.reason }, `output is not taken for the moment: ${event.message}`)
    case 'resumed':
      return engine.options.log('debug', { container: event.container, exec: event.exec }, 'output is taken again')
  }
}
