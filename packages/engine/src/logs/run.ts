import { rmSync } from 'node:fs'
import { deleteSegmentsBefore, SpoolReader, type SpoolPosition } from '@engine/runtime/spool'
import { now } from '../clock.ts'
import { Forwarder, type ForwarderOptions } from './drivers/forwarder.ts'
import type { Feed } from './feed.ts'
import { EntryBuffer, type StreamName } from './json-line.ts'
import { LineSplitter, type LineSink } from './line-splitter.ts'
import { LogFile } from './log-file.ts'
import { PositionFile } from './position-file.ts'
import type { LogKey } from './types.ts'
import type { OpenRun } from './worker-messages.ts'

/** Bytes that one run's log may take per turn, so that a flooder's log does not hold up the others'. */
const TURN_BYTES = 256 * 1024

/** Memory of the turn that is being taken: there is one at a time. */
const entries = new EntryBuffer()
const pieceBytes = Buffer.allocUnsafeSlow(64 * 1024)

/** One process's output in the worker, from open to close: its spool, its log, its subscribers. */
export class Run {
  readonly key: LogKey
  readonly spool: string
  readonly feeds = new Set<Feed>()
  readonly #reader: SpoolReader
  readonly #position: PositionFile
  readonly #splitters: Record<1 | 2, LineSplitter>
  readonly #log: LogFile | undefined
  readonly #attributes: string | undefined
  readonly #forwarder: Forwarder | undefined
  readonly #dropAbove: number | undefined
  #final = false
  #end: SpoolPosition | undefined
  #deletedBefore = 0

  /** @param notices what the forwarder has to say to the worker */
  constructor({ key, directory, log, forward, dropAbove }: OpenRun, notices: Pick<ForwarderOptions, 'onRoom' | 'onTrouble'>) {
    this.key = key
    this.spool = `${directory}/spool`
    this.#position = new PositionFile(this.spool)
    const progress = this.#position.read()
    this.#reader = new SpoolReader(this.spool, progress?.spool)
    this.#splitters = { 1: new LineSplitter(progress?.stdout), 2: new LineSplitter(progress?.stderr) }
    this.#log = log === undefined ? undefined : new LogFile(log.path, log.limits, progress?.log)
    this.#attributes = log?.attributes
    this.#dropAbove = dropAbove
    this.#forwarder = forward === undefined ? undefined : new Forwarder(forward, { ...notices, dropAbove })
  }

  /** How far the log is. */
  get position(): SpoolPosition {
    return this.#reader.position
  }

  /** Where the output ends, once it has ended and all of it is in the log. */
  get end(): SpoolPosition | undefined {
    return this.#end
  }

  /** The process has ended: what is in its spool now is all. */
  finish(): void {
    this.#final = true
  }

  /**
   * Takes a turn's worth of output into the log.
   * @returns whether there may be more
   * @throws with ENOSPC; nothing is lost, and it can be repeated
   */
  take(): boolean {
    if (this.#end !== undefined || this.#forwarder?.isFull === true) return false
    let bytes = 0
    entries.clear()
    const sinks = { 1: this.#sink('stdout'), 2: this.#sink('stderr') }
    const kept = this.#log !== undefined || this.#forwarder !== undefined
    // What a full disk has not taken comes first; without blocking, what comes meanwhile is taken all the same, and dropped.
    let trouble = this.#write(Buffer.alloc(0))
    while (bytes < TURN_BYTES) {
      const piece = this.#reader.next(pieceBytes)
      if (piece === undefined) break
      bytes += piece.data.length
      if (kept) this.#splitters[piece.stream].push(piece.data, piece.time, sinks[piece.stream])
    }
    const ended = this.#final && bytes < TURN_BYTES
    if (ended && kept) for (const stream of [1, 2] as const) this.#splitters[stream].end(now(), sinks[stream])
    if (ended) this.#end = this.#reader.position
    if (entries.length > 0) trouble = this.#write(entries.content) ?? trouble
    if (bytes > 0 || ended) this.#account()
    if (trouble !== undefined) throw trouble
    return bytes >= TURN_BYTES
  }

  #sink(stream: StreamName): LineSink {
    return {
      lines: (text, time) => {
        if (this.#log !== undefined) entries.addLines(text, stream, time, this.#attributes)
        this.#forwarder?.lines(text, stream, time)
      },
      partial: (text, time) => {
        if (this.#log !== undefined) entries.addPartial(text, stream, time, this.#attributes)
        this.#forwarder?.partial(text, stream, time)
      },
    }
  }

  /**
   * Writes entries to the log. In non-blocking mode a full disk is no reason to stop: entries wait for it as far as they may, and
   * what comes on top is dropped.
   * @returns what went wrong, in non-blocking mode
   * @throws what went wrong, otherwise
   */
  #write(entries: Buffer): unknown {
    const log = this.#log
    if (log === undefined) return undefined
    if (this.#dropAbove !== undefined && entries.length > 0 && log.waiting > 0 && log.waiting + entries.length > this.#dropAbove) return undefined
    try {
      log.write(entries)
      return undefined
    } catch (error) {
      if (this.#dropAbove === undefined) throw error
      return error
    }
  }

  /** Deletes what the log and every feed of the spool has consumed. @param feeds those of this and of older runs of the spool */
  deleteConsumed(feeds: Iterable<Feed>): void {
    let needed = this.#reader.position.segment
    for (const feed of feeds) needed = Math.min(needed, feed.segment)
    if (needed <= this.#deletedBefore) return
    deleteSegmentsBefore(this.spool, needed)
    this.#deletedBefore = needed
  }

  /** Closes the files; a spool that has been consumed to its end goes. @param needed whether somebody else still reads it */
  async close(needed: boolean): Promise<void> {
    this.#reader.close()
    this.#position.close()
    await this.#forwarder?.close()
    await this.#log?.close()
    if (this.#end !== undefined && !needed) rmSync(this.spool, { recursive: true, force: true })
  }

  #account(): void {
    try {
      this.#position.write({
        spool: this.#reader.position,
        stdout: this.#splitters[1].state,
        stderr: this.#splitters[2].state,
        ...(this.#log === undefined ? {} : { log: this.#log.place }),
      })
    } catch (error) {
      // The directory may be gone (the container is being removed), or the disk full; then the next account will do.
      if (!(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOSPC'))) throw error
    }
  }
}
