import { rm } from 'node:fs/promises'
import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import { withContainer } from '../ledger/cause.ts'
import { transaction } from '../state/database.ts'
import type { Container } from './container.ts'
import { removeLink } from './links.ts'
import { imageMounts, imagesOf } from './image-mounts.ts'
import { openLinks } from './open-links.ts'
import { cancelRestart } from './pending-restart.ts'
import { killContainer } from './signal.ts'
import { isRunning, transition } from './state.ts'

export interface RemoveOptions {
  /** Kill it first when it runs. */
  readonly force: boolean
  /** Its volumes without a name go with it. */
  readonly volumes: boolean
}

/**
 * Removes a container for a client.
 * @throws EngineError conflict when it runs (and `force` is not set), or is being removed already
 */
export async function removeContainerByRef(engine: EngineContext, ref: string, options: RemoveOptions & { readonly link: boolean }): Promise<void> {
  if (options.link) {
    removeLink(engine, ref)
    return openLinks(engine)
  }
  const container = engine.containers.find(ref)
  if (container.removing) throw new EngineError('conflict', `removal of container ${ref} is already in progress`)
  await removeContainer(engine, container, options, ref)
}

/**
 * Removes a container, whatever its state; returns at once when another removal of it is under way.
 * @param ref how a client called it
 * @throws EngineError conflict when it runs and `force` is not set
 */
export async function removeContainer(engine: EngineContext, container: Container, options: RemoveOptions, ref = container.name): Promise<void> {
  if (container.removing) return
  container.removing = true
  try {
    let removed = false
    // It may be started in the moment before its turn comes.
    while (!removed) {
      if (isRunning(container.state)) await endForRemoval(engine, container, options, ref)
      removed = await container.lock.run(async () => {
        if (isRunning(container.state)) return false
        await withContainer(container.id, () => removeStopped(engine, container, options))
        return true
      })
    }
  } catch (error) {
    container.removing = false
    throw error
  }
}

async function endForRemoval(engine: EngineContext, container: Container, { force }: RemoveOptions, ref: string): Promise<void> {
  const refused = (code: 'conflict' | 'internal', reason: string, cause?: unknown): EngineError => new EngineError(code, `cannot remove container ${JSON.stringify(ref)}: ${reason}`, { cause })
  const { status } = container.state
  if (!force) throw refused('conflict', status === 'paused' ? 'container is paused and must be unpaused first' : `container is ${status}: stop the container before removing or force remove`)
  try {
    await killContainer(engine, container)
  } catch (cause) {
    throw refused('internal', `could not kill: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

async function removeStopped(engine: EngineContext, container: Container, options: RemoveOptions): Promise<void> {
  const { id } = container
  cancelRestart(engine, container)
  await container.teardown
  transition(id, container.state, 'removing')
  const intent = engine.intents.begin('container remove', id, { volumes: options.volumes }, () => engine.containers.saveState(container))
  try {
    await finishRemoval(engine, container, options.volumes, intent)
  } catch (error) {
    transition(id, container.state, 'dead')
    container.state.error = error instanceof Error ? error.message : String(error)
    transaction(engine.db, () => {
      engine.containers.saveState(container)
      engine.intents.end(intent)
    })
    container.wake('removed', container.state.error)
    throw error
  }
}

/** The steps of a removal; each may be repeated, so that a crash between them is made good at the next start. */
export async function finishRemoval(engine: EngineContext, container: Container, volumes: boolean, intent: number): Promise<void> {
  const { id } = container
  const images = imagesOf(container.record)
  await engine.overlay.remove(id)
  engine.quotas.release({ container: id }, engine.overlay.root)
  for (const { snapshot } of imageMounts(container.record)) await engine.overlay.remove(snapshot)
  discardDirectory(engine, container)
  if (volumes) await removeAnonymousVolumes(engine, container)
  transaction(engine.db, () => {
    engine.containers.delete(container)
    engine.intents.end(intent)
    // It had them up to now.
    for (const image of images) engine.images.used(image)
  })
  engine.execs.forgetContainer(id)
  engine.events.publish('container', 'destroy', id, container.attributes())
  for (const condition of ['started', 'stopped', 'removed'] as const) container.wake(condition)
  if (images.some((image) => engine.images.get(image) === undefined)) await engine.images.collect()
}

/** Deletes the container's directory in the background: a long log takes its time, and a slow client may still read its output. */
function discardDirectory(engine: EngineContext, container: Container): void {
  const { directory } = engine.paths.container(container.id)
  const discard = async (): Promise<void> => {
    await container.reading
    await rm(directory, { recursive: true, force: true })
  }
  discard().catch((error: unknown) => engine.options.log('warn', { path: directory, error: String(error) }, 'a directory could not be deleted'))
}

async function removeAnonymousVolumes(engine: EngineContext, container: Container): Promise<void> {
  for (const { point } of container.record.mounts) {
    if (point.Type !== 'volume' || point.Name === undefined || !engine.volumes.isAnonymous(point.Name)) continue
    const name = point.Name
    try {
      await engine.volumes.remove(name, () => {
        if (engine.containers.usersOfVolume(name).some((user) => user !== container.id)) throw new EngineError('conflict', `remove ${name}: volume is in use`)
      })
    } catch (error) {
      // Somebody else has it, or has removed it.
      if (!(error instanceof EngineError && (error.code === 'not-found' || error.code === 'conflict'))) throw error
    }
  }
}
