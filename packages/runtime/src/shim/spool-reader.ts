import { closeSync, existsSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { dataName, indexName, parseRecord, RECORD_BYTES, segmentNumbers, type StreamNumber } from './spool-format.ts'

/** A place between two bytes of a spool; plain data, to be kept and given back. */
export interface SpoolPosition {
  readonly segment: number
  /** Bytes of the index before the current record. */
  readonly index: number
  /** Bytes of the current record's data that have been read. */
  readonly within: number
  /** Bytes of each data file before this place. */
  readonly stdout: number
  readonly stderr: number
}

export const SPOOL_START: SpoolPosition = { segment: 1, index: 0, within: 0, stdout: 0, stderr: 0 }

/** A piece of output. It is no line: pieces begin and end anywhere. */
export interface SpoolPiece {
  readonly stream: StreamNumber
  /** Nanoseconds since the epoch at which the shim took it. */
  readonly time: bigint
  readonly data: Buffer
}

const INDEX_READ_RECORDS = 256
const MISSING: unique symbol = Symbol('missing')

/** Reads a spool while the shim writes it (see spool-format.ts). Several may read one spool, each at its own place. */
export class SpoolReader {
  readonly #directory: string
  readonly #fds = new Map<string, number>()
  readonly #index = Buffer.alloc(INDEX_READ_RECORDS * RECORD_BYTES)
  /** What #index holds: bytes of the index from #indexStart on. */
  #indexStart = 0
  #indexLength = 0
  #segment: number
  #offset: number
  #within: number
  #data: Record<StreamNumber, number>

  /** @param position where to begin; by default at the oldest segment that is there */
  constructor(directory: string, position?: SpoolPosition) {
    this.#directory = directory
    const from = position ?? { ...SPOOL_START, segment: this.#segments()[0] ?? 1 }
    this.#segment = from.segment
    this.#offset = from.index
    this.#within = from.within
    this.#data = { 1: from.stdout, 2: from.stderr }
  }

  get position(): SpoolPosition {
    return { segment: this.#segment, index: this.#offset, within: this.#within, stdout: this.#data[1], stderr: this.#data[2] }
  }

  /**
   * The next piece of output.
   * @param into memory for it, of at least one byte; what is returned lies in it
   * @param maximum bytes of it at most
   * @returns undefined when there is nothing at the moment
   */
  next(into: Buffer, maximum = into.length): SpoolPiece | undefined {
    for (;;) {
      const record = this.#record()
      if (record === undefined) {
        if (!this.#advance()) return undefined
        continue
      }
      const wanted = Math.min(into.length, maximum, record.length - this.#within)
      const got = wanted === 0 ? 0 : this.#read(dataName(this.#segment, record.stream), into, wanted, this.#data[record.stream])
      const length = got === MISSING ? 0 : got
      this.#data[record.stream] += length
      this.#within += length
      if (this.#within >= record.length || length === 0) {
        // Recorded bytes that are not there were lost with the host; go on with the next record.
        this.#data[record.stream] += record.length - this.#within
        this.#within = 0
        this.#offset += RECORD_BYTES
      }
      if (length > 0) return { stream: record.stream, time: record.time, data: into.subarray(0, length) }
    }
  }

  /** Closes the files. Reading may go on afterwards. */
  close(): void {
    for (const fd of this.#fds.values()) closeSync(fd)
    this.#fds.clear()
    this.#indexLength = 0
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #record(): ReturnType<typeof parseRecord> {
    const loaded = (): boolean => this.#offset >= this.#indexStart && this.#offset + RECORD_BYTES <= this.#indexStart + this.#indexLength
    if (!loaded()) {
      const got = this.#read(indexName(this.#segment), this.#index, this.#index.length, this.#offset)
      this.#indexStart = this.#offset
      this.#indexLength = got === MISSING ? 0 : got - (got % RECORD_BYTES)
      if (!loaded()) return undefined
    }
    return parseRecord(this.#index, this.#offset - this.#indexStart)
  }

  /** Goes to the next segment if this one is closed and read to its end. */
  #advance(): boolean {
    if (!existsSync(`${this.#directory}/${indexName(this.#segment + 1)}`)) {
      // The usual step is by one; a gap means that segments were deleted (by the one who consumes) while this reader lagged.
      const later = existsSync(`${this.#directory}/${indexName(this.#segment)}`) ? undefined : this.#segments().find((number) => number > this.#segment)
      if (later === undefined) return false
      this.#begin(later)
      return true
    }
    // The writer may have put more here between our look and its closing of the segment.
    if (this.#record() !== undefined) return true
    this.#begin(this.#segment + 1)
    return true
  }

  #begin(segment: number): void {
    this.close()
    this.#segment = segment
    this.#offset = 0
    this.#within = 0
    this.#data = { 1: 0, 2: 0 }
    this.#indexStart = 0
  }

  #read(name: string, into: Buffer, length: number, position: number): number | typeof MISSING {
    let fd = this.#fds.get(name)
    if (fd === undefined) {
      try {
        fd = openSync(`${this.#directory}/${name}`, 'r')
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return MISSING
        throw error
      }
      this.#fds.set(name, fd)
    }
    return readSync(fd, into, 0, length, position)
  }

  #segments(): number[] {
    try {
      return segmentNumbers(readdirSync(this.#directory))
    } catch {
      return []
    }
  }
}

/**
 * Deletes the segments before `segment`, which everybody has consumed; the shim then has room for more.
 * The index goes last: it is what the shim counts by.
 */
export function deleteSegmentsBefore(directory: string, segment: number): void {
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch {
    return
  }
  for (const number of segmentNumbers(names)) {
    if (number >= segment) break
    for (const name of [dataName(number, 1), dataName(number, 2), indexName(number)]) rmSync(`${directory}/${name}`, { force: true })
  }
}
