import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import type { Container } from './container.ts'
import { startContainer } from './start.ts'
import { killContainer, signalContainer, whenStopped } from './signal.ts'
import { within } from '../within.ts'
import { signalNumber } from './signals.ts'
import { isRunning } from './state.ts'

export interface StopOptions {
  /** Seconds until it is killed; -1 waits for ever. */
  readonly timeout?: number | undefined
  readonly signal?: string | undefined
}

const defaultTimeout = 10

/**
 * Stops a container: its stop signal, then SIGKILL when the time is over.
 * @throws EngineError not-modified when it is not running
 */
export async function stopContainer(engine: EngineContext, ref: string, options: StopOptions): Promise<void> {
  const container = engine.containers.find(ref)
  if (!isRunning(container.state)) throw new EngineError('not-modified', `container ${container.id} is not running`)
  await stop(engine, container, options, ref)
}

async function stop(engine: EngineContext, container: Container, options: StopOptions, ref: string): Promise<void> {
  const { StopSignal, StopTimeout } = container.record.config
  const timeout = options.timeout ?? StopTimeout ?? defaultTimeout
  let signal: number
  try {
    signal = signalNumber(options.signal || StopSignal || 'SIGTERM')
  } catch (cause) {
    throw new EngineError('invalid-argument', `cannot stop container: ${ref}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  const stopped = whenStopped(container)
  container.policyCancelled = true
  try {
    await signalContainer(engine, container, signal)
  } catch (error) {
    if (!(error instanceof EngineError && error.code === 'conflict')) throw error
  }
  if (isRunning(container.state) && !(await within(stopped, timeout < 0 ? -1 : timeout * 1000))) await killContainer(engine, container)
  engine.events.publish('container', 'stop', container.id, container.attributes())
}

/** Stops a container if it runs, and starts it. */
export async function restartContainer(engine: EngineContext, ref: string, options: StopOptions): Promise<void> {
  const container = engine.containers.find(ref)
  // `--rm` is for the end that nobody asked for.
  container.keepOnExit = true
  try {
    if (isRunning(container.state)) await stop(engine, container, options, ref)
  } finally {
    container.keepOnExit = false
  }
  await startContainer(engine, container.id)
  engine.events.publish('container', 'restart', container.id, container.attributes())
}
