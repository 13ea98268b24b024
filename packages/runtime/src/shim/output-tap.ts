import { Epoll } from '@engine/linux/epoll'
import { ENDED, type OutputSource } from './output-source.ts'
import type { Poller, Watch } from './poller.ts'
import type { SpoolWriter } from './spool-writer.ts'

/** Bytes that one stream may move per turn of the loop: a flooder gets no more than this before everybody else has had a turn. */
const TURN_BYTES = 256 * 1024

/** Less than this moved at once is little. */
const LITTLE_BYTES = 32 * 1024
/** Two little pieces within this time are a busy writer of little pieces: it is let fill its pipe for REST_MILLISECONDS. */
const BUSY_MILLISECONDS = 1
const REST_MILLISECONDS = 2

/**
 * A source of output, watched or paused. Of a writer of many little pieces, each would cost as much as a full pipe does; so a
 * busy source is looked at every other millisecond only, unless its process ends.
 */
export class OutputTap {
  readonly source: OutputSource
  /** Once its process has ended: how much may still be taken although the spool is full. */
  drainLeft = 0
  readonly #poller: Poller
  readonly #ready: (tap: OutputTap) => void
  #watch: Watch | undefined
  #ended = false
  #takenAt = 0
  #rest: NodeJS.Timeout | undefined

  constructor(source: OutputSource, poller: Poller, ready: (tap: OutputTap) => void) {
    this.source = source
    this.#poller = poller
    this.#ready = ready
  }

  /** Whether there will be no more. */
  get ended(): boolean {
    return this.#ended
  }

  /** Watches the source, unless it has ended or is watched. */
  open(): void {
    if (!this.#ended) this.#watch ??= this.#poller.watch(this.source.fd, Epoll.IN, () => this.#ready(this))
  }

  pause(): void {
    clearTimeout(this.#rest)
    this.#rest = undefined
    this.#watch?.stop()
    this.#watch = undefined
  }

  /** Moves a turn's worth into the spool. @returns whether anything was moved */
  take(spool: SpoolWriter): boolean {
    const moved = this.source.take(spool, TURN_BYTES)
    if (moved === ENDED) {
      this.#ended = true
      this.pause()
    }
    if (moved <= 0) return false
    this.drainLeft -= Math.min(this.drainLeft, moved)
    const now = performance.now()
    if (moved < LITTLE_BYTES && now - this.#takenAt < BUSY_MILLISECONDS) this.#restAWhile()
    this.#takenAt = now
    return true
  }

  /** Its end (EPOLLHUP) is reported all the same. */
  #restAWhile(): void {
    if (this.#rest !== undefined || this.#watch === undefined) return
    this.#watch.modify(0)
    this.#rest = setTimeout(() => {
      this.#rest = undefined
      this.#watch?.modify(Epoll.IN)
    }, REST_MILLISECONDS)
  }
}
