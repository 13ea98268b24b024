import { EngineError } from '@engine/linux'

/** Docker's texts that several verbs share; clients match some of them word by word. */

export function noSuchImage(name: string): EngineError {
  return new EngineError('not-found', `No such image: ${name}`)
}

/** Twelve digits, as Docker shortens ids. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}
