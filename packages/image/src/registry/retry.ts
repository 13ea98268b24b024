import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '@engine/linux'
import { ConnectionError, RegistryError } from './errors.ts'

export interface RetryOptions {
  /** Attempts that bring nothing, one after the other, before it is given up. */
  readonly attempts: number
  readonly signal?: AbortSignal | undefined
  /** Told of each second that is waited. */
  readonly onWait?: ((seconds: number) => void) | undefined
}

/** Seconds to the next attempt: 1, 2, 4 … */
const longestWait = 30

/**
 * Does work again whose connection fails, with growing pauses.
 * @param work is given a function to call when it got further: then the count begins anew
 * @throws what the last attempt threw; at once what another attempt would not change
 */
export async function retrying<T>(work: (gotFurther: () => void) => Promise<T>, { attempts, signal, onWait }: RetryOptions): Promise<T> {
  let failures = 0
  for (;;) {
    try {
      return await work(() => (failures = 0))
    } catch (error) {
      failures++
      if (failures >= attempts || !mayPass(error)) throw error
      for (let seconds = Math.min(2 ** (failures - 1), longestWait); seconds > 0; seconds--) {
        onWait?.(seconds)
        await sleep(1000, undefined, signal === undefined ? {} : { signal }).catch((cause: unknown) => {
          throw new EngineError('cancelled', 'context canceled', { cause })
        })
      }
    }
  }
}

/** Whether another attempt may succeed: the connection broke, or the server was overloaded. */
export function mayPass(error: unknown): boolean {
  if (error instanceof RegistryError) return error.status >= 500 || error.status === 429 || error.status === 408
  return error instanceof ConnectionError
}
