import { EngineError, SyscallError, type ErrorCode } from '@engine/linux'
import type { IdMappings } from '@engine/linux/id-mappings'
import type { ExtractOptions, Extracted } from '../layer/apply.ts'
import type { Unpacked } from '../archive/unpack.ts'
import type { Change } from '../layer/changes.ts'
import type { TarLimits } from '../layer/tar/entry.ts'
import type { Digest } from '../digest.ts'
import type { ViewExtractOptions } from '../view/extract.ts'
import type { ViewSpec } from '../view/spec.ts'
import type { PathStat } from '../view/stat.ts'

/** A tar made of a tree: its digest and size. */
export interface Archived {
  readonly diffId: Digest
  readonly tarSize: number
}

/** Work on whole trees of files, which never runs on the daemon's main thread. Paths are engine's own. */
export type Job =
  /** @param growing its bytes, when the file is still being written: it is read as `grown` tells */
  | { readonly kind: 'extract'; readonly file: string; readonly directory: string; readonly options: ExtractOptions; readonly growing?: number }
  /** Copies a directory of a root, which may be hostile, into a directory of engine's own. */
  | { readonly kind: 'copy-tree'; readonly root: string; readonly path: string; readonly directory: string }
  /** Copies a directory into an empty one, sharing blocks where the file system can. */
  | { readonly kind: 'clone-tree'; readonly from: string; readonly to: string }
  /** Makes the tar of an upper directory and extracts it elsewhere. */
  | { readonly kind: 'copy-layer'; readonly from: string; readonly directory: string; readonly options: ExtractOptions }
  /** Makes the tar of an upper directory for its digest, and writes it to `file` if there is one. */
  | { readonly kind: 'archive'; readonly directory: string; readonly archive: 'layer' | 'archive'; readonly file?: string }
  | { readonly kind: 'compare'; readonly one: string; readonly other: string }
  /** Makes no time in a tree later than `seconds` since the epoch. */
  | { readonly kind: 'clamp-times'; readonly directory: string; readonly seconds: number }
  | { readonly kind: 'sync'; readonly directory: string }
  | { readonly kind: 'usage'; readonly directory: string }
  | { readonly kind: 'changes'; readonly upper: string; readonly lowers: readonly string[] }
  | { readonly kind: 'remove'; readonly directory: string; readonly name: string }
  | { readonly kind: 'view-stat'; readonly view: ViewSpec; readonly path: string }

export interface JobResults {
  extract: Extracted
  'copy-layer': Extracted
  'copy-tree': Extracted | undefined
  'clone-tree': undefined
  archive: Archived
  compare: string | undefined
  'clamp-times': undefined
  sync: undefined
  usage: number
  changes: readonly Change[]
  remove: undefined
  'view-stat': PathStat
}

/** The tar of a tree, or of what a container has at a path, as a stream. */
export type StreamJob =
  /** @param ids what the ids of who has the tree are on the host, where they are others: the tar has theirs */
  | { readonly kind: 'stream'; readonly directory: string; readonly archive: 'layer' | 'archive'; readonly ids?: IdMappings | undefined }
  | { readonly kind: 'view-archive'; readonly view: ViewSpec; readonly path: string; readonly name: string }

/** Work on a stream that the daemon feeds. */
export type FeedJob =
  | { readonly kind: 'view-extract'; readonly view: ViewSpec; readonly path: string; readonly options: ViewExtractOptions }
  /** Writes the files of an image archive into a directory of engine's own. */
  | { readonly kind: 'unpack-archive'; readonly directory: string; readonly limits?: TarLimits }

export interface FeedResults {
  'view-extract': undefined
  'unpack-archive': Unpacked
}

/** From the daemon to a worker. */
export type Request =
  | { readonly type: 'run'; readonly id: number; readonly job: Job | StreamJob | FeedJob }
  | { readonly type: 'cancel'; readonly id: number }
  /** The reader of a stream has taken a chunk. */
  | { readonly type: 'more'; readonly id: number }
  /** How much there is of the file that an extraction reads while it is written. */
  | { readonly type: 'grown'; readonly id: number; readonly bytes: number; readonly whole: boolean }
  /** A piece of the stream that a job is fed with; without one, its end. */
  | { readonly type: 'food'; readonly id: number; readonly chunk?: Uint8Array }

/** From a worker to the daemon. */
export type Reply =
  | { readonly type: 'done'; readonly id: number; readonly result: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: WireError }
  | { readonly type: 'chunk'; readonly id: number; readonly chunk: Uint8Array }
  /** A fed job has taken a piece. */
  | { readonly type: 'hungry'; readonly id: number }
  /** Bytes of its file that an extraction has read. */
  | { readonly type: 'progress'; readonly id: number; readonly bytes: number }

/** An error on its way between threads, which keep only the message of other classes than Error. */
export interface WireError {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string | undefined
  /** `ENOSPC`, when a system call failed. */
  readonly errno?: string | undefined
}

export function wireError(error: unknown): WireError {
  if (error instanceof SyscallError) return { code: error.code, message: error.message, hint: error.hint, errno: error.errnoName }
  if (error instanceof EngineError) return { code: error.code, message: error.message, hint: error.hint }
  const { message, code } = error as NodeJS.ErrnoException
  return { code: 'internal', message: typeof message === 'string' ? message : String(error), errno: code }
}

/** An error that a worker has met. */
export class WorkerError extends EngineError {
  /** `ENOSPC`, when a system call failed. */
  readonly errno: string | undefined

  constructor({ code, message, hint, errno }: WireError) {
    super(code, message, { hint })
    this.errno = errno
  }
}

export function unwireError(error: WireError): EngineError {
  return new WorkerError(error)
}
