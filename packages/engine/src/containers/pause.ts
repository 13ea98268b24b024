import { EngineError } from '@engine/linux'
import { freeze } from '@engine/runtime'
import type { EngineContext } from '../context.ts'
import { stopHealth } from '../health/monitor.ts'
import { withContainer } from '../ledger/cause.ts'
import { cgroupPath } from './cgroup-path.ts'
import { notRunning } from './errors.ts'
import { resume } from './signal.ts'
import { isRunning, transition } from './state.ts'

/** Freezes every process of a container. @throws EngineError conflict when it is not running, or paused already */
export async function pauseContainer(engine: EngineContext, ref: string): Promise<void> {
  const container = engine.containers.find(ref)
  await container.lock.run(() =>
    withContainer(container.id, async () => {
      const { state } = container
      if (!isRunning(state)) throw notRunning(container.id)
      if (state.status === 'paused') throw new EngineError('conflict', `Container ${container.id} is already paused`)
      if (state.status === 'restarting') throw new EngineError('conflict', `Container ${container.id} is restarting, wait until the container is running`)
      await freeze(cgroupPath(engine.options, container))
      transition(container.id, state, 'paused')
      stopHealth(engine, container)
      engine.containers.saveState(container)
      engine.events.publish('container', 'pause', container.id, container.attributes())
    }),
  )
}

/** Lets a paused container go on. @throws EngineError conflict when it is not paused (Docker: 500) */
export async function unpauseContainer(engine: EngineContext, ref: string): Promise<void> {
  const container = engine.containers.find(ref)
  await container.lock.run(() =>
    withContainer(container.id, () => {
      if (container.state.status !== 'paused') throw new EngineError('conflict', `Container ${container.id} is not paused`)
      resume(engine, container)
    }),
  )
}

/**
 * Freezes a running container while `work` is done. Should engined die meanwhile, the next one lets the container go on.
 * @throws EngineError as pauseContainer, and what `work` throws
 */
export async function whilePaused<T>(engine: EngineContext, id: string, work: () => Promise<T>): Promise<T> {
  const intent = engine.intents.begin('container pause', id)
  try {
    await pauseContainer(engine, id)
    try {
      return await work()
    } finally {
      await letGoOn(engine, id)
    }
  } finally {
    engine.intents.end(intent)
  }
}

/** Unpauses a container, unless it was killed, unpaused or removed meanwhile. */
export async function letGoOn(engine: EngineContext, id: string): Promise<void> {
  const container = engine.containers.get(id)
  await container?.lock.run(() =>
    withContainer(id, () => {
      if (container.state.status === 'paused') resume(engine, container)
    }),
  )
}
