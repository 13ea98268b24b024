import { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { EngineError } from '@engine/linux'
import type { GrowingFile } from './growing-file.ts'
import { unwireError, type FeedJob, type FeedResults, type Job, type JobResults, type Reply, type Request, type StreamJob } from './job.ts'
import { Room } from './room.ts'

export interface FileWorkersOptions {
  /** The bundled program of `worker/main.ts`. */
  readonly program: string | URL
  /** Most threads; work waits when all are busy. */
  readonly threads: number
  /** Milliseconds that a thread without work is kept: it holds some 10 MB, and takes some 30 ms to start. */
  readonly keep: number
}

interface Task {
  readonly id: number
  readonly job: Job | StreamJob | FeedJob
  settle(reply: Exclude<Reply, { type: 'chunk' | 'hungry' | 'progress' }>): void
  chunk?(chunk: Uint8Array): void
  /** A thread has begun with it. */
  begun?(): void
  /** The thread has taken a piece of what it is fed with. */
  hungry?(): void
  progress?: ((bytes: number) => void) | undefined
  /** The thread has died. */
  fail(error: Error): void
}

interface Thread {
  readonly worker: Worker
  task: Task | undefined
  idle: NodeJS.Timeout | undefined
}

/** Threads for work on trees of files: extracting, archiving, counting, removing. Each does one job at a time. */
export class FileWorkers {
  readonly #options: FileWorkersOptions
  readonly #threads = new Set<Thread>()
  #waiting: Task[] = []
  #lastId = 0
  #closed = false

  constructor(options: FileWorkersOptions) {
    this.#options = options
  }

  /**
   * Does a job. `signal` ends an extraction between two chunks, or takes the job out of the queue.
   * @param onProgress told how many bytes of its file an extraction has read
   * @param growing    the file that an extraction reads while it is written
   */
  run<K extends Job['kind']>(job: Job & { readonly kind: K }, signal?: AbortSignal, onProgress?: (bytes: number) => void, growing?: GrowingFile): Promise<JobResults[K]> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(cancelled())
      const id = ++this.#lastId
      const cancel = (): void => this.#cancel(id)
      let unwatch: (() => void) | undefined
      const end = (): void => {
        signal?.removeEventListener('abort', cancel)
        unwatch?.()
      }
      signal?.addEventListener('abort', cancel, { once: true })
      this.#start({
        id,
        job,
        begun: () => (unwatch = growing?.watch((bytes, whole) => this.#send(id, { type: 'grown', id, bytes, whole }))),
        progress: onProgress,
        settle: (reply) => {
          end()
          if (reply.type === 'done') resolve(reply.result as JobResults[K])
          else reject(unwireError(reply.error))
        },
        fail: (error) => {
          end()
          reject(error)
        },
      })
    })
  }

  /** The tar of a tree as a stream; destroying it ends the work. */
  stream(job: StreamJob): Readable {
    const id = ++this.#lastId
    let started = false
    let waiting = 0
    const readable = new Readable({
      highWaterMark: 1 << 20,
      read: () => {
        if (!started) {
          started = true
          this.#start(task)
        }
        for (; waiting > 0; waiting--) this.#send(id, { type: 'more', id })
      },
      destroy: (error, callback) => {
        if (started) this.#cancel(id)
        callback(error)
      },
    })
    const task: Task = {
      id,
      job,
      chunk: (chunk) => {
        if (readable.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) this.#send(id, { type: 'more', id })
        else waiting++
      },
      settle: (reply) => {
        if (reply.type === 'done') readable.push(null)
        else readable.destroy(unwireError(reply.error))
      },
      fail: (error) => readable.destroy(error),
    }
    return readable
  }

  /**
   * Does a job on a stream, which is read no faster than the job takes it. When the job fails, the rest of the stream is not read.
   * @throws what the stream fails with, or the job
   */
  async feed<K extends FeedJob['kind']>(job: FeedJob & { readonly kind: K }, source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<FeedResults[K]> {
    const id = ++this.#lastId
    const room = new Room(feedWindow)
    const done = new Promise<FeedResults[K]>((resolve, reject) => {
      this.#start({
        id,
        job,
        begun: () => room.open(),
        hungry: () => room.add(),
        settle: (reply) => (reply.type === 'done' ? resolve(reply.result as FeedResults[K]) : reject(unwireError(reply.error))),
        fail: reject,
      })
    }).finally(() => room.close())
    done.catch(() => undefined)
    const cancel = (): void => this.#cancel(id)
    signal?.addEventListener('abort', cancel, { once: true })
    if (signal?.aborted === true) cancel()
    try {
      for await (const chunk of source) {
        if (!(await room.take())) break
        // A copy with memory of its own, which can be handed over.
        const own = new Uint8Array(chunk)
        this.#send(id, { type: 'food', id, chunk: own }, [own.buffer])
      }
      if (await room.take()) this.#send(id, { type: 'food', id })
    } catch (error) {
      cancel()
      await done.catch(() => undefined)
      throw error
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
    return await done
  }

  /** Ends all threads; jobs under way fail. */
  async close(): Promise<void> {
    this.#closed = true
    for (const task of this.#waiting.splice(0)) task.fail(cancelled())
    await Promise.all([...this.#threads].map((thread) => thread.worker.terminate()))
  }

  #start(task: Task): void {
    if (this.#closed) return task.fail(cancelled())
    this.#waiting.push(task)
    this.#next()
  }

  /** Begins what can begin. */
  #next(): void {
    for (let at = this.#nextTask(); at >= 0; at = this.#nextTask()) {
      const thread = [...this.#threads].find((candidate) => candidate.task === undefined) ?? (this.#threads.size < this.#options.threads ? this.#spawn() : undefined)
      const [task] = thread === undefined ? [] : this.#waiting.splice(at, 1)
      if (thread === undefined || task === undefined) return
      clearTimeout(thread.idle)
      thread.task = task
      thread.worker.ref()
      this.#begin(thread, task)
    }
  }

  /**
   * Whose turn it is: in the order of asking, but deletions last, and on half of the threads, so that other work need not wait for them.
   * @returns an index of what waits, or -1
   */
  #nextTask(): number {
    const first = this.#waiting.findIndex(({ job }) => job.kind !== 'remove')
    if (first >= 0) return first
    const deleting = [...this.#threads].filter(({ task }) => task?.job.kind === 'remove').length
    return deleting < Math.max(1, this.#options.threads >> 1) ? this.#waiting.findIndex(() => true) : -1
  }

  #begin(thread: Thread, task: Task): void {
    thread.worker.postMessage({ type: 'run', id: task.id, job: task.job } satisfies Request)
    task.begun?.()
  }

  #spawn(): Thread {
    // Descriptors of openat2 and their closing are unknown to Node, which would warn about each.
    const worker = new Worker(this.#options.program, { name: 'engined-files', trackUnmanagedFds: false, resourceLimits: { maxYoungGenerationSizeMb } })
    const thread: Thread = { worker, task: undefined, idle: undefined }
    this.#threads.add(thread)
    worker.on('message', (reply: Reply) => this.#receive(thread, reply))
    worker.on('error', (error: Error) => this.#lost(thread, error))
    worker.on('exit', () => this.#lost(thread, new EngineError('internal', 'a file worker ended')))
    return thread
  }

  #receive(thread: Thread, reply: Reply): void {
    const task = thread.task
    if (task === undefined || task.id !== reply.id) return
    if (reply.type === 'chunk') {
      task.chunk?.(reply.chunk)
      return
    }
    if (reply.type === 'hungry') {
      task.hungry?.()
      return
    }
    if (reply.type === 'progress') {
      task.progress?.(reply.bytes)
      return
    }
    thread.task = undefined
    this.#rest(thread)
    task.settle(reply)
  }

  #rest(thread: Thread): void {
    this.#next()
    if (thread.task !== undefined) return
    thread.worker.unref()
    thread.idle = setTimeout(() => {
      this.#threads.delete(thread)
      void thread.worker.terminate()
    }, this.#options.keep).unref()
  }

  #lost(thread: Thread, error: Error): void {
    clearTimeout(thread.idle)
    this.#threads.delete(thread)
    const task = thread.task
    thread.task = undefined
    task?.fail(error)
    if (!this.#closed) this.#next()
  }

  #cancel(id: number): void {
    const waiting = this.#waiting.find((task) => task.id === id)
    if (waiting === undefined) return this.#send(id, { type: 'cancel', id })
    this.#waiting = this.#waiting.filter((task) => task !== waiting)
    waiting.fail(cancelled())
  }

  #send(id: number, request: Request, transfer: readonly ArrayBuffer[] = []): void {
    for (const thread of this.#threads) if (thread.task?.id === id) thread.worker.postMessage(request, [...transfer])
  }
}

/** Of a thread's heap. What is left of pieces of files is freed by its collections: with V8's own 48 MiB, a thread takes 20 MiB more, and no less time. */
const maxYoungGenerationSizeMb = 6

/** Pieces that a fed job may have waiting. */
const feedWindow = 16

function cancelled(): EngineError {
  return new EngineError('cancelled', 'cancelled')
}
