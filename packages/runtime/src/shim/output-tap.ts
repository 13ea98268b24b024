import { Epoll } from '@engine/linux/epoll'
import { ENDED, type OutputSource } from './output-source.ts'
import type { Poller, Watch } from './poller.ts'
import type { SpoolWriter } from './spool-writer.ts'

/** Bytes that one stream may move per turn of the loop: a flooder gets no more than this before everybody else has had a turn. */
const TURN_BYTES = 256 * 1024

/** A source of output, watched or paused. */
export class OutputTap {
  readonly source: OutputSource
  /** Once its process has ended: how much may still be taken although the spool is full. */
  drainLeft = 0
  readonly #poller: Poller
  readonly #ready: (tap: OutputTap) => void
  #watch: Watch | undefined
  #ended = false

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
    return true
  }
}
