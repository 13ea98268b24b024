import { join } from 'node:path'
import { EngineError } from '@engine/linux'
import { openWriteEnd } from '@engine/runtime'
import { now } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import type { Attachment, LogOptions, OutputChunk, OutputFraming } from '../interface.ts'
import { attach, parseDetachKeys, readLogChunks, readLogs, type InputEnd, type Subscription } from '../logs/index.ts'
import type { Container } from './container.ts'
import { readableLog } from './open-log.ts'
import { whenStopped } from './signal.ts'
import { hasProcess, isRunning } from './state.ts'

export interface AttachContainer {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly stream: boolean
  readonly logs: boolean
  readonly detachKeys?: string | undefined
}

/**
 * Attaches to a container's standard streams, also before it is started: then nothing of its output is missed.
 * @throws EngineError conflict when it is paused or about to be started again
 */
export async function attachContainer(engine: EngineContext, ref: string, options: AttachContainer): Promise<Attachment> {
  const container = engine.containers.find(ref)
  const { config } = container.record
  if (container.state.status === 'paused') throw new EngineError('conflict', `container ${container.id} is paused, unpause the container before attach`)
  if (container.state.status === 'restarting') throw new EngineError('conflict', `container ${container.id} is restarting, wait until the container is running`)
  const detachKeys = parseDetachKeys(options.detachKeys)
  const input = options.stdin && options.stream && config.OpenStdin
  // Who asks for a stream of nothing is done at once.
  const subscription = options.stream && (options.stdout || options.stderr || input) ? engine.pump.subscribe(container.id) : undefined
  if (subscription !== undefined) endWhenNeverStarted(container, subscription)
  const before = options.logs ? pastOutput(engine, container) : undefined
  if (options.stream) engine.events.publish('container', 'attach', container.id, container.attributes())
  return attach({
    tty: config.Tty,
    stdout: options.stdout,
    stderr: options.stderr,
    ...(subscription === undefined ? {} : { subscription }),
    ...(before === undefined ? {} : { before }),
    ...(input
      ? {
          stdin: {
            open: () => inputOf(engine, container),
            close: async () => {
              if (await whenRunning(container)) await engine.shim.closeStdin({ container: container.id })
            },
            once: config.StdinOnce,
          },
        }
      : {}),
    detachKeys,
    onDetach: () => engine.events.publish('container', 'detach', container.id, container.attributes()),
  })
}

/** A container that is removed without having run gives no output: whoever waits for it is let go. */
function endWhenNeverStarted(container: Container, subscription: Subscription): void {
  let ran = hasProcess(container.state)
  if (ran) return
  container.waiters.add({ condition: 'started', resolve: () => (ran = hasProcess(container.state)) })
  container.waiters.add({
    condition: 'removed',
    resolve: () => {
      if (!ran) subscription.end()
    },
  })
}

/** What the container has written so far. Later output is the subscription's, so that nothing comes twice. */
function pastOutput(engine: EngineContext, container: Container): AsyncGenerator<OutputChunk, void, undefined> {
  const options: LogOptions = { stdout: true, stderr: true, follow: false, timestamps: false, details: false, until: now() }
  const log = { ...readableLog(container, engine.paths.container(container.id)), ended: Promise.resolve() }
  return readLogChunks(log, options, new AbortController().signal)
}

/** Waits until there is a process. @returns false when the container was removed instead */
async function whenRunning(container: Container): Promise<boolean> {
  if (!hasProcess(container.state) && !container.removing) {
    await new Promise<void>((resolve) => {
      container.waiters.add({ condition: 'started', resolve: () => resolve() })
    })
  }
  return hasProcess(container.state)
}

async function inputOf(engine: EngineContext, container: Container): Promise<InputEnd> {
  if (!(await whenRunning(container))) return { fifo: undefined }
  if (container.record.config.Tty) return { terminal: await engine.shim.terminal({ container: container.id }) }
  return { fifo: openWriteEnd(join(engine.paths.container(container.id).run, 'stdin')) }
}

const unframed: OutputFraming = { headerBytes: 0, writeHeader: () => undefined }

/** Reads a container's log. @throws EngineError invalid-argument when neither stream is wanted */
export async function containerLogs(
  engine: EngineContext,
  ref: string,
  options: LogOptions,
  framing: OutputFraming,
  signal: AbortSignal,
): Promise<{ readonly tty: boolean; readonly batches: AsyncIterable<Buffer> }> {
  const container = engine.containers.find(ref)
  if (!options.stdout && !options.stderr) throw new EngineError('invalid-argument', 'Bad parameters: you must choose at least one stream')
  const ended = isRunning(container.state) ? whenStopped(container) : Promise.resolve()
  const tty = container.record.config.Tty
  return { tty, batches: readLogs({ ...readableLog(container, engine.paths.container(container.id)), ended }, options, tty ? unframed : framing, signal) }
}
