import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import { openNames } from '../networks/names.ts'
import { checkName } from './create.ts'
import { hasProcess } from './state.ts'

/** Gives a container another name. @throws EngineError in Docker's words */
export async function renameContainer(engine: EngineContext, ref: string, given: string): Promise<void> {
  if (ref === '' || given === '') throw new EngineError('invalid-argument', 'Neither old nor new names may be empty')
  const container = engine.containers.find(ref)
  await container.lock.run(async () => {
    const before = container.name
    if (given.replace(/^\//, '') === before) throw new EngineError('invalid-argument', 'Renaming a container with the same name as its current name')
    try {
      engine.containers.rename(container, checkName(given, given.startsWith('/') ? given : `/${given}`))
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      throw new EngineError(error.code, `Error when allocating new name: ${error.message}`, { cause: error })
    }
    if (hasProcess(container.state)) await openNames(engine, container, container.sandbox)
    engine.ledger.name(container.id, container.name, container.record.createdNs)
    engine.events.publish('container', 'rename', container.id, container.attributes({ oldName: `/${before}` }))
  })
}
