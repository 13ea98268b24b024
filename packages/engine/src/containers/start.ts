import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import { beingRemoved } from './errors.ts'
import { removeContainer } from './remove.ts'
import { beginAnew } from './restart-timer.ts'
import { runContainer } from './run.ts'
import { isRunning } from './state.ts'

/**
 * Starts a container.
 * @throws EngineError not-modified when it is running, conflict when it is paused or going away, and what Docker says of a start that failed:
 * then everything is undone, the container is as it was, and State has the reason
 */
export async function startContainer(engine: EngineContext, ref: string): Promise<void> {
  const container = engine.containers.find(ref)
  let failed: unknown
  await container.lock.run(async () => {
    const { state } = container
    if (state.status === 'paused') throw new EngineError('conflict', 'cannot start a paused container, try unpause instead')
    if (isRunning(state)) throw new EngineError('not-modified', `container ${container.id} is already running`)
    if (container.removing || state.status === 'removing' || state.status === 'dead') throw beingRemoved(container.id)
    beginAnew(container)
    try {
      await runContainer(engine, container)
    } catch (error) {
      failed = error
    }
  })
  if (failed === undefined) return
  // A container of `--rm` that could not be started is not kept either.
  if (container.record.hostConfig.AutoRemove) {
    // Who waits for its removal hears of no error: it is the start's.
    container.state.error = ''
    await removeContainer(engine, container, { force: true, volumes: true })
  }
  throw failed
}
