import { setTimeout as sleep } from 'node:timers/promises'
import { Feed } from './feed.ts'
import { PieceMemory } from './piece-memory.ts'
import { Run } from './run.ts'
import type { LogKey } from './types.ts'
import type { FromWorker, OpenRun, SentChunk, ToWorker } from './worker-messages.ts'

const RETRY_MILLISECONDS = 1000

/** Somebody who waits for a run to be done with. */
interface Closing {
  readonly run: Run
  readonly request: number
}

/**
 * The log worker's state: runs that are open, runs that were closed but whose subscribers still read. Takes messages, and works
 * through what is ready in turns.
 */
export class LogWorker {
  readonly #post: (message: FromWorker, transfer: ArrayBuffer[]) => void
  readonly #runs = new Map<LogKey, Run>()
  readonly #closing = new Set<Closing>()
  /** By feed id, which run it belongs to. */
  readonly #feeds = new Map<number, { readonly run: Run; readonly feed: Feed }>()
  /** Subscriptions to keys that are not open yet. */
  readonly #early = new Map<number, { readonly key: LogKey; credit: number }>()
  readonly #draining = new Map<Run, number[]>()
  readonly #ready = new Set<Run>()
  readonly #memory = new PieceMemory()
  #turn: NodeJS.Immediate | undefined

  constructor(post: (message: FromWorker, transfer: ArrayBuffer[]) => void) {
    this.#post = post
  }

  receive(message: ToWorker): void {
    switch (message.type) {
      case 'open': {
        this.#answered(message.run.key, undefined, () => this.#open(message.run))
        return
      }
      case 'notify': {
        for (const key of message.keys) this.#wake(this.#runs.get(key))
        return
      }
      case 'subscribe': {
        const run = this.#runs.get(message.key)
        if (run === undefined) this.#early.set(message.id, { key: message.key, credit: message.credit })
        else this.#feed(run, message.id, message.credit)
        return
      }
      case 'credit': {
        const early = this.#early.get(message.id)
        if (early !== undefined) early.credit += message.bytes
        const known = this.#feeds.get(message.id)
        this.#memory.giveBack(message.memory)
        known?.feed.grant(message.bytes)
        this.#wake(known?.run)
        return
      }
      case 'unsubscribe': {
        this.#early.delete(message.id)
        const known = this.#feeds.get(message.id)
        if (known !== undefined) this.#endFeed(known.run, known.feed)
        return
      }
      case 'drained': {
        const run = this.#runs.get(message.key)
        if (run === undefined) {
          this.#post({ type: 'done', request: message.request, error: `no log is open for ${message.key}` }, [])
          return
        }
        run.finish()
        this.#draining.set(run, [...(this.#draining.get(run) ?? []), message.request])
        this.#wake(run)
        return
      }
      case 'close': {
        const run = this.#runs.get(message.key)
        if (run === undefined) {
          this.#post({ type: 'done', request: message.request }, [])
          return
        }
        this.#runs.delete(message.key)
        this.#closing.add({ run, request: message.request })
        run.finish()
        this.#wake(run)
        return
      }
      case 'shutdown': {
        clearImmediate(this.#turn)
        this.#ready.clear()
        this.#post({ type: 'done', request: message.request }, [])
      }
    }
  }

  #open(open: OpenRun): void {
    const run: Run = new Run(open, { onRoom: () => this.#wake(this.#runs.get(open.key)), onTrouble: (text) => this.#post({ type: 'trouble', key: open.key, message: text }, []) })
    this.#runs.set(run.key, run)
    for (const [id, { key, credit }] of this.#early) {
      if (key !== run.key) continue
      this.#early.delete(id)
      this.#feed(run, id, credit)
    }
    this.#wake(run)
  }

  #feed(run: Run, id: number, credit: number): void {
    const feed = new Feed(id, run.spool, run.position, credit, this.#memory)
    run.feeds.add(feed)
    this.#feeds.set(id, { run, feed })
    this.#wake(run)
  }

  #endFeed(run: Run, feed: Feed): void {
    feed.close()
    run.feeds.delete(feed)
    this.#feeds.delete(feed.id)
    this.#wake(run)
  }

  #wake(run: Run | undefined): void {
    if (run === undefined) return
    this.#ready.add(run)
    this.#turn ??= setImmediate(() => this.#work())
  }

  /** One turn for each run that is ready. */
  #work(): void {
    this.#turn = undefined
    const ready = [...this.#ready]
    this.#ready.clear()
    for (const run of ready) {
      this.#answered(run.key, run, () => {
        const more = run.take()
        if (run.end !== undefined) this.#drained(run)
        if (this.#serve(run) || more) this.#wake(run)
        run.deleteConsumed(this.#feedsOf(run.spool))
      })
      this.#close(run)
    }
  }

  /** Sends its feeds what they may have. @returns whether one of them is to have more at once */
  #serve(run: Run): boolean {
    let again = false
    for (const feed of run.feeds) {
      const { chunks, state } = feed.take(run.end)
      if (chunks.length > 0) this.#send(feed.id, chunks)
      if (state === 'more') again = true
      if (state !== 'ended') continue
      this.#post({ type: 'end', id: feed.id }, [])
      this.#endFeed(run, feed)
    }
    return again
  }

  #send(id: number, chunks: readonly SentChunk[]): void {
    this.#post({ type: 'chunks', id, chunks }, chunks.map((chunk) => chunk.bytes.buffer))
  }

  #drained(run: Run): void {
    for (const request of this.#draining.get(run) ?? []) this.#post({ type: 'done', request }, [])
    this.#draining.delete(run)
  }

  /** Finishes with a closed run whose log is complete and whose feeds have read all. */
  #close(run: Run): void {
    for (const closing of this.#closing) {
      if (closing.run !== run || run.end === undefined || run.feeds.size > 0) continue
      this.#closing.delete(closing)
      this.#ready.delete(run)
      const needed = [...this.#runs.values(), ...[...this.#closing].map((other) => other.run)].some((other) => other.spool === run.spool)
      run.close(needed).then(
        () => this.#post({ type: 'done', request: closing.request }, []),
        (error: unknown) => this.#post({ type: 'done', request: closing.request, error: message(error) }, []),
      )
    }
  }

  *#feedsOf(spool: string): Generator<Feed> {
    for (const { run, feed } of this.#feeds.values()) if (run.spool === spool) yield feed
  }

  /** Does work that may fail (a full disk, mostly): it is told, and a run's work is tried again. */
  #answered(key: LogKey, run: Run | undefined, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#post({ type: 'trouble', key, message: message(error) }, [])
      if (run !== undefined) void sleep(RETRY_MILLISECONDS).then(() => this.#wake(run))
    }
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
