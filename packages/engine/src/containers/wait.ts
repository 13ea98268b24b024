import type { EngineContext } from '../context.ts'
import type { WaitResult } from '../types/container-views.ts'
import type { Waiter } from './container.ts'
import { isRunning } from './state.ts'

/**
 * Waits for a container's end or removal. Resolves as soon as the wait has begun, so that headers can be sent.
 * @throws EngineError not-found
 */
export async function waitContainer(
  engine: EngineContext,
  ref: string,
  condition: 'not-running' | 'next-exit' | 'removed',
  signal: AbortSignal,
): Promise<{ readonly result: Promise<WaitResult> }> {
  const container = engine.containers.find(ref)
  const result = (removalError?: string): WaitResult => {
    const error = removalError ?? container.state.error
    return { StatusCode: container.state.exitCode, ...(error === '' ? {} : { Error: { Message: error } }) }
  }
  if (condition === 'not-running' && !isRunning(container.state)) return { result: Promise.resolve(result()) }
  const { promise, resolve, reject } = Promise.withResolvers<WaitResult>()
  // Nobody may be listening any more when the client is gone.
  promise.catch(() => undefined)
  const abort = (): void => {
    container.waiters.delete(waiter)
    reject(signal.reason instanceof Error ? signal.reason : new Error('the client is gone'))
  }
  const waiter: Waiter = {
    condition: condition === 'removed' ? 'removed' : 'stopped',
    resolve: (error) => {
      signal.removeEventListener('abort', abort)
      resolve(result(error))
    },
  }
  container.waiters.add(waiter)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  return { result: promise }
}
