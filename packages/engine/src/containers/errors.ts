import { EngineError } from '@engine/linux'

/** Docker's texts that several verbs share; clients match some of them word by word. */

export function noSuchContainer(ref: string): EngineError {
  return new EngineError('not-found', `No such container: ${ref}`)
}

export function nameTaken(name: string, owner: string): EngineError {
  return new EngineError(
    'conflict',
    `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
  )
}

export function notRunning(id: string): EngineError {
  return new EngineError('conflict', `container ${id} is not running`)
}

export function beingRemoved(id: string): EngineError {
  return new EngineError('conflict', `container ${id} is marked for removal and cannot be started`)
}
