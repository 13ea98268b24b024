import { rmSync } from 'node:fs'
import { z } from 'zod'
import { letGoOn } from '../containers/pause.ts'
import { finishRemoval } from '../containers/remove.ts'
import { hasProcess } from '../containers/state.ts'
import type { EngineContext } from '../context.ts'
import { transaction } from '../state/database.ts'

const removal = z.object({ volumes: z.boolean() })

/** Finishes or undoes the operations on containers that a crash interrupted. */
export async function settleIntents(engine: EngineContext): Promise<void> {
  for (const intent of engine.intents.pending()) {
    const { id, operation, subject } = intent
    engine.options.log('info', { operation, subject, begun: intent.begunAt }, 'settling an operation that was interrupted')
    try {
      const container = engine.containers.get(subject)
      if (operation === 'container create' && container === undefined) {
        await engine.overlay.remove(subject)
        rmSync(engine.paths.container(subject).directory, { recursive: true, force: true })
      } else if (operation === 'container remove' && container !== undefined) {
        await finishRemoval(engine, container, removal.parse(intent.detail).volumes, id)
        continue
      } else if (operation === 'container start' && container !== undefined && !hasProcess(container.state)) {
        container.state.error = 'the start was interrupted: engined ended meanwhile'
        transaction(engine.db, () => {
          engine.containers.saveState(container)
          engine.intents.end(id)
        })
        continue
      } else if (operation === 'container pause') {
        await letGoOn(engine, subject)
      }
      engine.intents.end(id)
    } catch (error) {
      engine.options.log('error', { operation, subject, error: String(error) }, 'an interrupted operation could not be settled; it is tried again at the next start')
    }
  }
}
