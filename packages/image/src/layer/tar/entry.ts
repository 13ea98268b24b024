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
  /** Bytes of all files' contents together, holes included. */
  readonly contentBytes: number
  /** Directories above an entry. */
  readonly depth: number
}

export const defaultLimits: TarLimits = {
  entries: 4_000_000,
  pathBytes: 4096,
  paxBytes: 1 << 20,
  extents: 1 << 18,
  contentBytes: 2 ** 40,
  depth: 1024,
}
