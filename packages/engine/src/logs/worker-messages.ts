import type { Forward } from './drivers/forward.ts'
import type { LogLimits } from './limits.ts'
import type { LogKey } from './types.ts'

/** A process's output as the worker is told to take it. */
export interface OpenRun {
  readonly key: LogKey
  readonly directory: string
  /** Absent for driver `none`. */
  readonly log?: { readonly path: string; readonly limits: LogLimits; readonly attributes?: string }
  readonly forward?: Forward
  /** In non-blocking mode the bytes that may wait to be written or sent; what comes on top is dropped. */
  readonly dropAbove?: number
}

/** From engined's main thread to the log worker. */
export type ToWorker =
  | { readonly type: 'open'; readonly run: OpenRun }
  | { readonly type: 'notify'; readonly keys: readonly LogKey[] }
  | { readonly type: 'subscribe'; readonly id: number; readonly key: LogKey; readonly credit: number }
  /** So many more bytes may be sent; and memory of pieces that have been taken, transferred back. */
  | { readonly type: 'credit'; readonly id: number; readonly bytes: number; readonly memory: readonly ArrayBuffer[] }
  | { readonly type: 'unsubscribe'; readonly id: number }
  | { readonly type: 'drained' | 'close'; readonly request: number; readonly key: LogKey }
  | { readonly type: 'shutdown'; readonly request: number }

/** One piece of output; its bytes are transferred, not copied. */
export interface SentChunk {
  readonly stream: 1 | 2
  readonly bytes: Uint8Array<ArrayBuffer>
}

export type FromWorker =
  | { readonly type: 'chunks'; readonly id: number; readonly chunks: readonly SentChunk[] }
  | { readonly type: 'end'; readonly id: number }
  | { readonly type: 'done'; readonly request: number; readonly error?: string }
  | { readonly type: 'trouble'; readonly key: LogKey; readonly message: string }
