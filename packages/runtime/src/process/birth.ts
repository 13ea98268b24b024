import type { ActionRecord } from '../shim/messages.ts'

/** The standard streams of a process to be made: three descriptors of this process, or a terminal of the container's own. */
export type Stdio =
  | { readonly stdin: number; readonly stdout: number; readonly stderr: number }
  | { readonly terminal: { readonly rows: number; readonly columns: number } }

/** How a birth ended: executed, or at which step it failed. */
export interface BirthOutcome {
  readonly records: readonly ActionRecord[]
  /** Absent when execve succeeded. `message` is what Docker would say of it, from `exec: "x": …` or `error mounting …` on. */
  readonly failure?: { readonly errno: number; readonly step: string; readonly message: string }
}

/**
 * A process on its way to become a container's. Made synchronously on the shim's main thread; the set-up then runs in the
 * child by itself. When `ready` is at its end (readable, read gives 0 bytes) call `finish`.
 */
export interface Birth {
  readonly pid: number
  /** O_CLOEXEC pidfd; its owner closes it. */
  readonly pidfd: number
  /** The terminal's master, when there is one; its owner closes it. */
  readonly master?: number
  /** Read end of the pipe that execve closes; non-blocking. */
  readonly ready: number
  /** Reads how it went and releases everything that was held for the birth, `ready` included. Call it once. */
  finish(): BirthOutcome
}
