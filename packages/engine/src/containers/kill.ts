import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import { notRunning } from './errors.ts'
import { killContainer, signalContainer } from './signal.ts'
import { isSignal, signalNumber } from './signals.ts'
import { isRunning } from './state.ts'

/**
 * Sends a signal to a container, SIGKILL by default; for SIGKILL it waits until the container has ended.
 * @throws EngineError not-found, conflict `cannot kill container: x: container … is not running`, invalid-argument for what is no signal
 */
export async function kill(engine: EngineContext, ref: string, signal: string | undefined): Promise<void> {
  try {
    const container = engine.containers.find(ref)
    const number = signalNumber(signal || 'SIGKILL')
    if (!isSignal(number)) throw new EngineError('invalid-argument', `the linux daemon does not support signal ${number}`)
    if (!isRunning(container.state)) throw notRunning(container.id)
    if (number === 9) await killContainer(engine, container)
    else await signalContainer(engine, container, number)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw new EngineError(error.code, `cannot kill container: ${ref}: ${error.message}`, { cause: error })
  }
}
