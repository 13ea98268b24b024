import { EngineError } from '@engine/linux'

/** What an entry of an archive makes. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo'

/** A run of a sparse file's bytes that are in the archive; the rest are holes. */
export interface Extent {
  readonly offset: number
  readonly length: number
}

/** One entry of a tar, whatever format it was written in. Names are bytes: nothing says that they are UTF-8. */
export interface TarEntry {
  readonly type: EntryType
  readonly path: Buffer
  /** Permission bits with setuid, setgid and sticky: 0o7777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of the file's content, holes of a sparse file included. 0 for everything but files. */
  readonly size: number
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint
  readonly atime?: bigint
  /** Target of a symbolic link, or path of the entry that a hard link links to. */
  readonly linkPath: Buffer
  readonly userName: Buffer
  readonly groupName: Buffer
  readonly deviceMajor: number
  readonly deviceMinor: number
  /** Extended attributes: the names one character a byte (latin1), the values any bytes. */
  readonly xattrs: ReadonlyMap<string, Buffer>
  /** Where the bytes in the archive belong; only of sparse files. */
  readonly extents?: readonly Extent[]
}

/** What a reader accepts, against archives made to exhaust memory or disk (CVE-2025-58183). */
export interface TarLimits {
  readonly entries: number
  /** Bytes of a path or link; PATH_MAX of Linux is 4096. */
  readonly pathBytes: number
  /** Bytes of one entry's extended header. */
  readonly paxBytes: number
  /** Runs of one sparse file. */
  readonly extents: number
  /** Bytes of one sparse file, holes included. */
  readonly sparseBytes: number
  /** Bytes of all files' contents together, holes included. */
  readonly contentBytes: number
  /** Directories above an entry. */
  readonly depth: number
  /** How many times larger than the compressed data the archive may be, and the bytes of it from which on that counts. */
  readonly ratio: number
  readonly ratioFrom: number
}

export const defaultLimits: TarLimits = {
  entries: 4_000_000,
  pathBytes: 4096,
  paxBytes: 1 << 20,
  extents: 1 << 18,
  sparseBytes: 2 ** 40,
  contentBytes: 2 ** 40,
  depth: 1024,
  // gzip reaches 1032; what zstd and bzip2 make of zeros reaches more, but not with files of an image.
  ratio: 10_000,
  ratioFrom: 1 << 30,
}

/** Something of an archive is beyond a limit. @param key which of `archive-limits` in engine.json it is */
export function beyondLimit(key: string, message: string): EngineError {
  return new EngineError('invalid-argument', message, { hint: `if it is meant to be so, raise ${key} of archive-limits in engine.json` })
}

/**
 * Refuses data that grows beyond reason while it is uncompressed.
 * @param compressed bytes that there are of it, or were read so far
 * @param size       bytes that it has become so far
 */
export function checkRatio(limits: TarLimits, compressed: number, size: number): void {
  if (size <= limits.ratioFrom || size <= compressed * limits.ratio) return
  throw beyondLimit('compression-ratio', `the archive uncompresses to more than ${limits.ratio} times its size`)
}
