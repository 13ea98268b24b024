/** Docker cuts lines into entries of this many bytes (moby daemon/logger/copier.go, defaultBufSize). */
export const LINE_BYTES = 16 * 1024

const LINE_FEED = 10
const NOTHING: Buffer = Buffer.alloc(0)

/** What may be written to a log. */
export interface LineSink {
  /** Whole lines, each with its line feed, none longer than LINE_BYTES. */
  lines(bytes: Buffer, time: bigint): void
  /** A piece of a line that goes on. */
  partial(bytes: Buffer, time: bigint): void
}

/** A splitter between two pieces of output; plain data. */
export interface SplitterState {
  /** The beginning of a line that has not ended, base64. */
  readonly pending: string
  /** When the line began of which pieces are written already; decimal nanoseconds. */
  readonly partialSince?: string
}

/**
 * Makes log entries of one stream's output as Docker does: a line is an entry, with the time at which its end came; one that is
 * longer than LINE_BYTES is several, all with the time of the first, and only the last has the line feed; what is left at the end
 * of the output is an entry without one.
 */
export class LineSplitter {
  #pending: Buffer
  #partialSince: bigint | undefined

  constructor(state?: SplitterState) {
    this.#pending = state === undefined ? NOTHING : Buffer.from(state.pending, 'base64')
    this.#partialSince = state?.partialSince === undefined ? undefined : BigInt(state.partialSince)
  }

  get state(): SplitterState {
    const pending = this.#pending.toString('base64')
    return this.#partialSince === undefined ? { pending } : { pending, partialSince: `${this.#partialSince}` }
  }

  /** @param time nanoseconds since the epoch at which `piece` came */
  push(piece: Buffer, time: bigint, sink: LineSink): void {
    let bytes = this.#pending.length === 0 ? piece : this.#complete(piece, time, sink)
    for (;;) {
      const whole = wholeLines(bytes, this.#partialSince === undefined)
      if (whole > 0) {
        sink.lines(bytes.subarray(0, whole), this.#partialSince ?? time)
        this.#partialSince = undefined
        bytes = bytes.subarray(whole)
        continue
      }
      if (bytes.length < LINE_BYTES) break
      this.#partialSince ??= time
      sink.partial(bytes.subarray(0, LINE_BYTES), this.#partialSince)
      bytes = bytes.subarray(LINE_BYTES)
    }
    // A copy: what is left of a big piece must not keep all of it.
    this.#pending = bytes.length === 0 ? NOTHING : Buffer.from(bytes)
  }

  /** Joins what is pending with no more of a piece than it takes: the end of its line, or as much as makes an entry. @returns what is left of the piece */
  #complete(piece: Buffer, time: bigint, sink: LineSink): Buffer {
    const room = LINE_BYTES - this.#pending.length
    const end = piece.subarray(0, room).indexOf(LINE_FEED) + 1
    const taken = end > 0 ? end : Math.min(room, piece.length)
    const line = Buffer.concat([this.#pending, piece.subarray(0, taken)])
    this.#pending = NOTHING
    if (end > 0) {
      sink.lines(line, this.#partialSince ?? time)
      this.#partialSince = undefined
    } else if (line.length === LINE_BYTES) {
      this.#partialSince ??= time
      sink.partial(line, this.#partialSince)
    } else {
      return line
    }
    return piece.subarray(taken)
  }

  /** The output has ended. */
  end(time: bigint, sink: LineSink): void {
    if (this.#pending.length > 0) sink.partial(this.#pending, this.#partialSince ?? time)
    this.#pending = NOTHING
    this.#partialSince = undefined
  }
}

/** Bytes of the whole lines that `bytes` begins with, up to the first that is too long; only the first one unless `many`. */
function wholeLines(bytes: Buffer, many: boolean): number {
  if (!many) {
    const end = bytes.subarray(0, LINE_BYTES).indexOf(LINE_FEED)
    return end + 1
  }
  let at = 0
  for (;;) {
    // The last line feed within reach: every line before it is short enough.
    const end = bytes.subarray(at, at + LINE_BYTES).lastIndexOf(LINE_FEED)
    if (end < 0) return at
    at += end + 1
  }
}
