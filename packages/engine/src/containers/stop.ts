import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import type { Container } from './container.ts'
import { startContainer } from './start.ts'
import { killContainer, signalContainer, whenStopped } from './signal.ts'
import { within } from '../within.ts'
import { isSignal, signalNumber } from './signals.ts'
import { isRunning } from './state.ts'

export interface StopOptions {
  /** Seconds until it is killed; -1 waits for ever. */
  readonly timeout?: number | undefined
  readonly signal?: string | undefined
}

const defaultTimeout = 10
/** How long a container may go on whose stop signal cannot be sent, in milliseconds. */
const unsentPatience = 2000

/**
 * Stops a container: its stop signal, then SIGKILL when the time is over.
 * @throws EngineError not-modified when it is not running
 */
export async function stopContainer(engine: EngineContext, ref: string, options: StopOptions): Promise<void> {
  const container = engine.containers.find(ref)
  if (!isRunning(container.state)) throw new EngineError('not-modified', `container ${container.id} is not running`)
  await saying(`cannot stop container: ${ref}`, () => stop(engine, container, options))
}

async function stop(engine: EngineContext, container: Container, options: StopOptions): Promise<void> {
  const { StopSignal, StopTimeout } = container.record.config
  const timeout = options.timeout ?? StopTimeout ?? defaultTimeout
  const signal = signalNumber(options.signal || StopSignal || 'SIGTERM')
  // One that Linux does not have cannot be sent: then, too, Docker waits before it kills.
  const sent = isSignal(signal)
  const stopped = whenStopped(container)
  container.policyCancelled = true
  try {
    if (sent) await signalContainer(engine, container, signal)
  } catch (error) {
    if (!(error instanceof EngineError && error.code === 'conflict')) throw error
  }
  if (isRunning(container.state) && !(await within(stopped, sent ? (timeout < 0 ? -1 : timeout * 1000) : unsentPatience))) await killContainer(engine, container)
  engine.events.publish('container', 'stop', container.id, container.attributes())
}

/** Stops a container if it runs, and starts it. */
export async function restartContainer(engine: EngineContext, ref: string, options: StopOptions): Promise<void> {
  const container = engine.containers.find(ref)
  await saying(`Cannot restart container ${ref}`, async () => {
    // `--rm` is for the end that nobody asked for.
    container.keepOnExit = true
    try {
      if (isRunning(container.state)) await stop(engine, container, options)
    } finally {
      container.keepOnExit = false
    }
    await startContainer(engine, container.id)
  })
  engine.events.publish('container', 'restart', container.id, container.attributes())
}

/** Begins an error's text with what was being done. */
async function saying(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (!(cause instanceof EngineError)) throw cause
    throw new EngineError(cause.code, `${what}: ${cause.message}`, { hint: cause.hint, cause })
  }
}
