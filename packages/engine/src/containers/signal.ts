import { EngineError } from '@engine/linux'
import { thaw } from '@engine/runtime'
import type { EngineContext } from '../context.ts'
import { watchHealth } from '../health/monitor.ts'
import { withContainer } from '../ledger/cause.ts'
import { within } from '../within.ts'
import { cgroupPath } from './cgroup-path.ts'
import type { Container } from './container.ts'
import { notRunning } from './errors.ts'
import { cancelRestart } from './pending-restart.ts'
import { signalProcess } from './signal-process.ts'
import { signalNumber } from './signals.ts'
import { hasProcess, isRunning, transition } from './state.ts'

const SIGKILL = 9

/**
 * Sends a signal to a container's first process, by Docker's rules: a signal that is not another than the container's own stop
 * signal ends the restart policy's work, and a paused container goes on, so that the signal arrives.
 * @throws EngineError conflict when it is not running
 */
export async function signalContainer(engine: EngineContext, container: Container, signal: number): Promise<void> {
  await container.lock.run(() =>
    withContainer(container.id, () => {
      const { state } = container
      if (!isRunning(state)) throw notRunning(container.id)
      const own = container.record.config.StopSignal
      const ends = own === undefined || signal === SIGKILL || signalNumber(own) === signal
      if (ends) container.policyCancelled = true
      // A container that the host's shutdown stops is started again by its policy.
      if (!engine.closing.aborted) state.manuallyStopped = true
      if (state.status === 'restarting') {
        if (ends) cancelRestart(engine, container)
        return
      }
      send(container, signal)
      const goesOn = ends && state.status === 'paused'
      // The kernel lets what is frozen die of SIGKILL only when it is thawed (cgroup v1).
      if (goesOn) letGo(engine, container)
      engine.containers.saveState(container)
      engine.events.publish('container', 'kill', container.id, container.attributes({ signal: String(signal) }))
      // Docker tells of it after the signal that was the reason, and not at all when that ends the container.
      if (goesOn && signal !== SIGKILL) engine.events.publish('container', 'unpause', container.id, container.attributes())
    }),
  )
}

function send(container: Container, signal: number): void {
  if (!signalProcess(container.state, signal)) throw notRunning(container.id)
}

function letGo(engine: EngineContext, container: Container): void {
  thaw(cgroupPath(engine.options, container))
  transition(container.id, container.state, 'running')
  watchHealth(engine, container)
}

/** Lets a paused container go on. */
export function resume(engine: EngineContext, container: Container): void {
  letGo(engine, container)
  engine.containers.saveState(container)
  engine.events.publish('container', 'unpause', container.id, container.attributes())
}

/** Milliseconds that the log may take to be complete before the end of a container is told. */
export const drainPatience = 10_000

/** How long a killed process may take to be gone (one in an uninterruptible wait takes longer than that), and its log to be complete. */
const patience = 10_000 + drainPatience

/**
 * Kills a container and waits until it has ended. Nothing happens when it is not running.
 * @throws EngineError internal when its end is not told in that time
 */
export async function killContainer(engine: EngineContext, container: Container): Promise<void> {
  const stopped = whenStopped(container)
  try {
    await signalContainer(engine, container, SIGKILL)
  } catch (error) {
    // It is ending: its exit is on the way, or told already.
    if (!(error instanceof EngineError && error.code === 'conflict')) throw error
    if (!hasProcess(container.state)) return
  }
  if (!isRunning(container.state)) return
  if (!(await within(stopped, patience))) throw new EngineError('internal', 'tried to kill container, but did not receive an exit event')
}

/** Resolves at the container's next end. */
export function whenStopped(container: Container): Promise<void> {
  return new Promise((resolve) => {
    container.waiters.add({ condition: 'stopped', resolve: () => resolve() })
  })
}
