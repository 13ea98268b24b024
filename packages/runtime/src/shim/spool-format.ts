/**
 * The spool of one process: what it wrote, as files in a directory, until engined has read it.
 *
 * Per segment `<seq>` (decimal, from 1) there are `<seq>.stdout` and `<seq>.stderr` with the bytes, and `<seq>.index` with a
 * record for each piece in the order of writing. Data is written before its record, so what a record names is there; data
 * beyond the last record is what a killed writer had no time to record, and is recorded when the spool is opened again.
 * A segment is closed when its data exceeds SEGMENT_BYTES; the existence of the next one's index says so.
 * The reader deletes closed segments that it has consumed; a writer waits while more than LIMIT_BYTES are there, or ATTENDED_BYTES
 * when there is a reader: the end of a process is told when its output has been read, so there must not be much of it left.
 */

/** 1 and 2, as the file descriptors' numbers. A terminal's output is all 1. */
export type StreamNumber = 1 | 2

export const SEGMENT_BYTES = 4 * 1024 * 1024
export const LIMIT_BYTES = 64 * 1024 * 1024
/** More than a segment: only what is closed can be deleted. */
export const ATTENDED_BYTES = 6 * 1024 * 1024
export const RECORD_BYTES = 16

/** One piece of output: little-endian {u64 nanoseconds since the epoch; u32 length; u8 stream; three zero bytes}. */
export interface SpoolRecord {
  readonly time: bigint
  readonly length: number
  readonly stream: StreamNumber
}

export function writeRecord(record: SpoolRecord): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES)
  bytes.writeBigUInt64LE(record.time, 0)
  bytes.writeUInt32LE(record.length, 8)
  bytes.writeUInt8(record.stream, 12)
  return bytes
}

/** @returns undefined for bytes that are no record (a disk's damage) */
export function parseRecord(bytes: Buffer, offset: number): SpoolRecord | undefined {
  const stream = bytes.readUInt8(offset + 12)
  if (stream !== 1 && stream !== 2) return undefined
  return { time: bytes.readBigUInt64LE(offset), length: bytes.readUInt32LE(offset + 8), stream }
}

export function indexName(segment: number): string {
  return `${segment}.index`
}

export function dataName(segment: number, stream: StreamNumber): string {
  return `${segment}.${stream === 1 ? 'stdout' : 'stderr'}`
}

/** The numbers of the segments among a directory's names, ascending. */
export function segmentNumbers(names: readonly string[]): number[] {
  const numbers = new Set<number>()
  for (const name of names) {
    const match = /^([1-9]\d{0,14})\.(?:index|stdout|stderr)$/.exec(name)
    if (match !== null) numbers.add(Number(match[1]))
  }
  return [...numbers].sort((a, b) => a - b)
}
