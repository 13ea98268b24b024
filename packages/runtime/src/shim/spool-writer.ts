import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, statSync, watch, writeSync } from 'node:fs'
import { Errno, failedWith } from '@engine/linux'
import { realtime } from '@engine/linux/clock'
import { spliceToFile } from '@engine/linux/splice'
import { dataName, indexName, LIMIT_BYTES, parseRecord, RECORD_BYTES, SEGMENT_BYTES, segmentNumbers, writeRecord, type StreamNumber } from './spool-format.ts'

/** A data file of the open segment. */
interface DataFile {
  readonly fd: number
  size: number
  /** Bytes of it that index records account for. */
  indexed: number
}

/** The segment that is written to. */
interface Segment {
  readonly number: number
  readonly index: number
  indexSize: number
  readonly data: Map<StreamNumber, DataFile>
}

export interface SpoolWriterOptions {
  readonly segmentBytes?: number
  /** Asked each time: it depends on whether somebody reads. */
  readonly limitBytes?: () => number
}

/**
 * Writes one process's output into its spool (see spool-format.ts). Files are opened with the first byte.
 * Every call may throw SyscallError or Node's own error with ENOSPC; nothing is lost by that, and the call can be repeated.
 */
export class SpoolWriter {
  readonly #directory: string
  readonly #segmentBytes: number
  readonly #limitBytes: () => number
  /** Sizes of all segments that were there when last looked, by number. */
  readonly #sizes = new Map<number, number>()
  #bytes = 0
  #next = 1
  #segment: Segment | undefined

  /** Makes the directory if need be, and records what a killed writer had left unrecorded. */
  constructor(directory: string, options: SpoolWriterOptions = {}) {
    this.#directory = directory
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.#limitBytes = options.limitBytes ?? ((): number => LIMIT_BYTES)
    if (makeDirectory(directory)) return
    const numbers = segmentNumbers(readdirSync(directory))
    for (const number of numbers) this.#account(number, this.#sizeOf(number))
    const last = numbers.at(-1)
    if (last === undefined) return
    this.#next = last + 1
    this.#recover(last)
  }

  /** Whether no more may be written before segments have been consumed. */
  get full(): boolean {
    const limit = this.#limitBytes()
    if (this.#bytes <= limit) return false
    for (const number of this.#sizes.keys()) {
      if (number !== this.#segment?.number && !existsSync(`${this.#directory}/${indexName(number)}`)) this.#forget(number)
    }
    return this.#bytes > limit
  }

  /**
   * Moves at most `length` bytes from a pipe into the spool.
   * @returns bytes moved; 0 when the pipe is empty and has no writer; -1 when it is empty
   */
  splice(stream: StreamNumber, pipe: number, length: number): number {
    const segment = this.#open()
    const file = this.#file(segment, stream)
    let moved: number
    try {
      moved = spliceToFile(pipe, file.fd, file.size, length)
    } catch (error) {
      if (failedWith(error, Errno.EAGAIN)) return -1
      throw error
    }
    if (moved > 0) this.#written(segment, file, moved)
    return moved
  }

  /** Appends bytes that were read (from a terminal). @returns how many were taken; fewer than all when the disk is full */
  write(stream: StreamNumber, bytes: Buffer): number {
    const segment = this.#open()
    const file = this.#file(segment, stream)
    const taken = writeSync(file.fd, bytes, 0, bytes.length, file.size)
    this.#written(segment, file, taken)
    return taken
  }

  /** Calls `listener` each time something in the spool's directory changes, until the returned function is called. */
  watch(listener: () => void): () => void {
    const watcher = watch(this.#directory, () => listener())
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  }

  /** Closes the files. The spool stays, and may be opened again. */
  close(): void {
    const segment = this.#segment
    this.#segment = undefined
    if (segment === undefined) return
    closeSync(segment.index)
    for (const file of segment.data.values()) closeSync(file.fd)
  }

  #open(): Segment {
    const open = this.#segment
    if (open !== undefined) {
      this.#settle(open)
      if ((this.#sizes.get(open.number) ?? 0) <= this.#segmentBytes) return open
      this.close()
      this.#next = open.number + 1
    }
    const number = this.#next
    const index = openSync(`${this.#directory}/${indexName(number)}`, constants.O_WRONLY | constants.O_CREAT, 0o600)
    const segment: Segment = { number, index, indexSize: 0, data: new Map() }
    this.#segment = segment
    this.#account(number, 0)
    return segment
  }

  #file(segment: Segment, stream: StreamNumber): DataFile {
    const known = segment.data.get(stream)
    if (known !== undefined) return known
    const fd = openSync(`${this.#directory}/${dataName(segment.number, stream)}`, constants.O_WRONLY | constants.O_CREAT, 0o600)
    const file = { fd, size: 0, indexed: 0 }
    segment.data.set(stream, file)
    return file
  }

  #written(segment: Segment, file: DataFile, bytes: number): void {
    file.size += bytes
    this.#account(segment.number, bytes)
    this.#settle(segment)
  }

  /** Writes the records that are missing: the one of the data just written, or of a call before that met a full disk. */
  #settle(segment: Segment): void {
    for (const [stream, file] of segment.data) {
      if (file.indexed === file.size) continue
      const record = writeRecord({ time: realtime(), length: file.size - file.indexed, stream })
      // A disk that fills up in the middle makes the second write throw; the record is then written as a whole the next time.
      for (let written = 0; written < RECORD_BYTES; ) written += writeSync(segment.index, record, written, RECORD_BYTES - written, segment.indexSize + written)
      segment.indexSize += RECORD_BYTES
      file.indexed = file.size
    }
  }

  /** Opens the last segment of a writer that is gone, to continue it. */
  #recover(number: number): void {
    const sums = new Map<StreamNumber, number>([[1, 0], [2, 0]])
    const index = openSync(`${this.#directory}/${indexName(number)}`, constants.O_RDWR | constants.O_CREAT, 0o600)
    const bytes = Buffer.alloc(fstatSync(index).size)
    const size = readSync(index, bytes, 0, bytes.length, 0)
    let indexSize = 0
    for (; indexSize + RECORD_BYTES <= size; indexSize += RECORD_BYTES) {
      const record = parseRecord(bytes, indexSize)
      if (record === undefined) break
      sums.set(record.stream, (sums.get(record.stream) ?? 0) + record.length)
    }
    const segment: Segment = { number, index, indexSize, data: new Map() }
    this.#segment = segment
    for (const [stream, indexed] of sums) {
      if (!existsSync(`${this.#directory}/${dataName(number, stream)}`)) continue
      const file = this.#file(segment, stream)
      // Less data than recorded is a host's crash: what follows goes where the records say.
      file.size = Math.max(fstatSync(file.fd).size, indexed)
      file.indexed = indexed
    }
    this.#settle(segment)
  }

  #sizeOf(number: number): number {
    return ([1, 2] as const).reduce((sum, stream) => sum + (statSync(`${this.#directory}/${dataName(number, stream)}`, { throwIfNoEntry: false })?.size ?? 0), 0)
  }

  #account(number: number, bytes: number): void {
    this.#sizes.set(number, (this.#sizes.get(number) ?? 0) + bytes)
    this.#bytes += bytes
  }

  #forget(number: number): void {
    this.#bytes -= this.#sizes.get(number) ?? 0
    this.#sizes.delete(number)
  }
}

/** @returns false when it is there already */
function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}
