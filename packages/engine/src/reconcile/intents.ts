import { rmSync } from 'node:fs'
import { z } from 'zod'
import { letGoOn } from '../containers/pause.ts'
import { finishRemoval, removeContainer } from '../containers/remove.ts'
import { restoreLimits } from '../containers/update.ts'
import { hasProcess } from '../containers/state.ts'
import type { EngineContext } from '../context.ts'
import { transaction } from '../state/database.ts'
import type { Intent } from '../state/intents.ts'
import { unsyncedLayer } from '../builds/unsynced-layers.ts'
import { settleNetworkIntent } from './network-intents.ts'

const removal = z.object({ volumes: z.boolean() })
/** Rows of an earlier version have no list. */
const creation = z.object({ volumes: z.array(z.string()).default([]) })

/** Finishes or undoes the operations on containers that a crash interrupted. */
export async function settleIntents(engine: EngineContext): Promise<void> {
  // What was begun with a step's container is settled before it goes.
  const pending = engine.intents.pending().filter(({ operation }) => operation !== unsyncedLayer)
  const isStep = ({ operation }: Intent): boolean => operation === 'build step'
  for (const intent of [...pending.filter((one) => !isStep(one)), ...pending.filter(isStep)]) {
    const { id, operation, subject } = intent
    engine.options.log('info', { operation, subject, begun: intent.begunAt }, 'settling an operation that was interrupted')
    try {
      const container = engine.containers.get(subject)
      if (await settleNetworkIntent(engine, intent)) {
        engine.intents.end(id)
        continue
      }
      if (operation === 'container create' && container === undefined) {
        await engine.overlay.remove(subject)
        await removeVolumes(engine, creation.parse(intent.detail).volumes)
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
      } else if (operation === 'container update' && container !== undefined) {
        restoreLimits(engine, container)
      } else if (operation === 'build step' && engine.containers.get(subject) !== undefined) {
        await removeContainer(engine, engine.containers.find(subject), { force: true, volumes: true })
      }
      engine.intents.end(id)
    } catch (error) {
      engine.options.log('error', { operation, subject, error: String(error) }, 'an interrupted operation could not be settled; it is tried again at the next start')
    }
  }
}

/** Removes volumes that came into being with a container that did not; they may be half filled. */
async function removeVolumes(engine: EngineContext, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (engine.volumes.has(name) && engine.containers.usersOfVolume(name).length === 0) await engine.volumes.remove(name)
  }
}
