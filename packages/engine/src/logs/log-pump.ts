import { Worker } from 'node:worker_threads'
import { EngineError } from '@engine/linux'
import type { OutputChunk } from '../interface.ts'
import { parseMemory } from './drivers/sizes.ts'
import { fileLimits } from './limits.ts'
import { PIECE_BYTES } from './piece-memory.ts'
import type { LogKey, OpenLog, Pump, Subscription } from './types.ts'
import type { FromWorker, OpenRun, SentChunk, ToWorker } from './worker-messages.ts'

/** Bytes that may be on their way to a subscriber, or wait here for it. */
const WINDOW_BYTES = 1024 * 1024
/** max-buffer-size without a value. */
const DEFAULT_BUFFER = 1024 * 1024

export interface LogPumpOptions {
  /** Path or URL of the worker's program (worker.ts, or its bundle). */
  readonly workerPath: string | URL
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', fields: Readonly<Record<string, unknown>>, message: string) => void
}

/** engined's end of the log worker; see Pump for what it does. Lives on the main thread. */
export class LogPump implements Pump {
  readonly #worker: Worker
  readonly #open = new Set<LogKey>()
  readonly #subscriptions = new Map<number, WorkerSubscription>()
  readonly #requests = new Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>()
  readonly #notified = new Set<LogKey>()
  #lastId = 0

  constructor(options: LogPumpOptions) {
    this.#worker = new Worker(options.workerPath, {
      name: 'engine-logs',
      // A worker's garbage is short-lived: a small young generation keeps an idle one small.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
      stdin: false,
    })
    this.#worker.unref()
    this.#worker.on('message', (message: FromWorker) => {
      if (message.type === 'trouble') options.log('error', { container: message.key }, `the log cannot be written: ${message.message}`)
      else this.#receive(message)
    })
    this.#worker.on('error', (error) => {
      options.log('error', { error: error instanceof Error ? error.message : String(error) }, 'the log worker died')
      for (const { reject } of this.#requests.values()) reject(new EngineError('internal', 'the log worker died', { cause: error }))
      for (const subscription of this.#subscriptions.values()) subscription.finish()
    })
  }

  open(key: LogKey, { directory, driver, logPath, options, attributes, forward }: OpenLog): void {
    if (this.#open.has(key)) throw new EngineError('internal', `the log of ${key} is open already`)
    const limits = logPath === undefined ? undefined : fileLimits(driver, options)
    const dropAbove = options['mode'] === 'non-blocking' ? (parseMemory(options['max-buffer-size'] ?? '') ?? DEFAULT_BUFFER) : undefined
    const run: OpenRun = {
      key,
      directory,
      ...(limits === undefined || logPath === undefined ? {} : { log: { path: logPath, limits, ...(attributes === undefined ? {} : { attributes: goJson(attributes) }) } }),
      ...(forward === undefined ? {} : { forward }),
      ...(dropAbove === undefined ? {} : { dropAbove }),
    }
    this.#post({ type: 'open', run })
    this.#open.add(key)
  }

  notify(key: LogKey): void {
    if (this.#notified.size === 0) {
      queueMicrotask(() => {
        this.#post({ type: 'notify', keys: [...this.#notified] })
        this.#notified.clear()
      })
    }
    this.#notified.add(key)
  }

  subscribe(key: LogKey): Subscription {
    const id = this.#nextId()
    const subscription = new WorkerSubscription(
      (bytes, memory) => this.#worker.postMessage({ type: 'credit', id, bytes, memory } satisfies ToWorker, memory),
      () => {
        this.#subscriptions.delete(id)
        this.#post({ type: 'unsubscribe', id })
      },
    )
    this.#subscriptions.set(id, subscription)
    this.#post({ type: 'subscribe', id, key, credit: WINDOW_BYTES })
    return subscription
  }

  drained(key: LogKey): Promise<void> {
    return this.#request((request) => ({ type: 'drained', request, key }))
  }

  close(key: LogKey): Promise<void> {
    this.#open.delete(key)
    return this.#request((request) => ({ type: 'close', request, key }))
  }

  async shutdown(): Promise<void> {
    await this.#request((request) => ({ type: 'shutdown', request }))
    await this.#worker.terminate()
    for (const subscription of this.#subscriptions.values()) subscription.finish()
  }

  #request(message: (request: number) => ToWorker): Promise<void> {
    const request = this.#nextId()
    return new Promise((resolve, reject) => {
      this.#requests.set(request, { resolve, reject })
      // Somebody waits: the process must not end meanwhile.
      this.#worker.ref()
      this.#post(message(request))
    })
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  #nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  #receive(message: Exclude<FromWorker, { type: 'trouble' }>): void {
    switch (message.type) {
      case 'chunks':
        this.#subscriptions.get(message.id)?.push(message.chunks)
        return
      case 'end':
        this.#subscriptions.get(message.id)?.finish()
        this.#subscriptions.delete(message.id)
        return
      case 'done': {
        const request = this.#requests.get(message.request)
        this.#requests.delete(message.request)
        if (this.#requests.size === 0) this.#worker.unref()
        if (message.error === undefined) request?.resolve()
        else request?.reject(new EngineError('internal', message.error))
      }
    }
  }
}

/** Go marshals maps with sorted keys. */
function goJson(attributes: Readonly<Record<string, string>>): string {
  const sorted = Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)))
  return JSON.stringify(sorted).replaceAll(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Chunks that came and wait to be taken; gives credit back as they are. */
class WorkerSubscription implements Subscription {
  readonly #credit: (bytes: number, memory: readonly ArrayBuffer[]) => void
  readonly #unsubscribe: () => void
  readonly #released: ArrayBuffer[] = []
  readonly #chunks: SentChunk[] = []
  #taken = 0
  #finished = false
  #wake: (() => void) | undefined

  constructor(credit: (bytes: number, memory: readonly ArrayBuffer[]) => void, unsubscribe: () => void) {
    this.#credit = credit
    this.#unsubscribe = unsubscribe
  }

  push(chunks: readonly SentChunk[]): void {
    this.#chunks.push(...chunks)
    this.#wake?.()
  }

  /** There will be no more. */
  finish(): void {
    this.#finished = true
    this.#wake?.()
  }

  end(): void {
    if (this.#finished) return
    this.#chunks.length = 0
    this.finish()
    this.#unsubscribe()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputChunk, void, undefined> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift()
        if (chunk !== undefined) {
          this.#taken += chunk.bytes.length
          if (this.#taken >= WINDOW_BYTES / 4) {
            this.#credit(this.#taken, this.#released.splice(0))
            this.#taken = 0
          }
          const { buffer, byteOffset, length } = chunk.bytes
          const output: OutputChunk = { stream: chunk.stream === 1 ? 'stdout' : 'stderr', data: Buffer.from(buffer, byteOffset, length) }
          yield buffer.byteLength === PIECE_BYTES ? { ...output, release: () => this.#released.push(buffer) } : output
          continue
        }
        if (this.#finished) return
        await new Promise<void>((resolve) => (this.#wake = resolve))
        this.#wake = undefined
      }
    } finally {
      this.end()
    }
  }
}
