import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '@engine/linux'
import { ConnectionError, RegistryError } from './errors.ts'

export interface RetryOptions {
  /** Attempts that bring nothing, one after the other, before it is given up. */
  readonly attempts: number
  readonly signal?: AbortSignal | undefined
  /** What another attempt may change; {@link mayPass} without it. */
  readonly isWorthwhile?: (error: unknown) => boolean
  /** Most seconds that are waited for a server that asks for it; one that wants more (a limit of pulls in six hours) has refused. */
  readonly longestAsked?: number
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
export async function retrying<T>(work: (gotFurther: () => void) => Promise<T>, { attempts, signal, isWorthwhile = mayPass, longestAsked = 60, onWait }: RetryOptions): Promise<T> {
  let failures = 0
  for (;;) {
    try {
      return await work(() => (failures = 0))
    } catch (error) {
      failures++
      const asked = (error instanceof RegistryError ? error.retryAfter : undefined) ?? 0
      if (failures >= attempts || asked > longestAsked || !isWorthwhile(error)) throw error
      for (let seconds = Math.max(asked, Math.min(2 ** (failures - 1), longestWait)); seconds > 0; seconds--) {
        onWait?.(seconds)
        await sleep(1000, undefined, signal === undefined ? {} : { signal }).catch((cause: unknown) => {
          throw new EngineError('cancelled', 'context canceled', { cause })
        })
      }
    }
  }
}

/** Most attempts at a document, and seconds from one to the next: nobody sees a bar meanwhile, and there are several of them. */
const document = { attempts: 3, longestAsked: 10 }

/**
 * Asks for a document, or sends one: again when a connection broke that had been made (a registry closes one that was idle just when
 * it is used again), and when the server says when to come back. One that cannot be reached or that refuses is believed at once:
 * there may be another way, and somebody waits for the answer.
 */
export function askingAgain<T>(work: () => Promise<T>, { attempts, signal }: { readonly attempts: number; readonly signal: AbortSignal | undefined }): Promise<T> {
  return retrying(work, { ...document, attempts: Math.min(attempts, document.attempts), signal, isWorthwhile: isPassing })
}

const broken: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'UND_ERR_BODY_TIMEOUT', 'ECONNRESET', 'EPIPE'])

function isPassing(error: unknown): boolean {
  if (error instanceof RegistryError) return mayPass(error) && error.retryAfter !== undefined
  return error instanceof ConnectionError && broken.has(error.reason)
}

/** Whether another attempt may succeed: the connection broke, or the server was overloaded. */
export function mayPass(error: unknown): boolean {
  if (error instanceof RegistryError) return error.status >= 500 || error.status === 429 || error.status === 408
  return error instanceof ConnectionError
}
