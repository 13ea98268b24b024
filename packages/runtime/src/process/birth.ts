import type { ActionRecord } from '../shim/messages.ts'

/**
 * The standard streams of a process to be made: three descriptors of this process (all above 2; the caller closes them
 * once the birth is made), or a terminal of the container's own.
 */
export type Stdio =
  | { readonly stdin: number; readonly stdout: number; readonly stderr: number }
  | { readonly terminal: { readonly rows: number; readonly columns: number } }

/** A compiled seccomp program, and the SECCOMP_FILTER_FLAG_… bits that it is loaded with. */
export interface Filter {
  readonly program: Buffer
  readonly flags: number
}

export interface BirthOptions {
  /** The compiled seccomp program; left out for none. */
  readonly filter?: Filter | undefined
  /** Nobody wants to know how it came about: of its records only those of execve are made. */
  readonly silent?: boolean | undefined
}

/** How a birth ended. */
export type BirthOutcome = {
  /** Every kernel action made for it, in order. */
  readonly records: readonly ActionRecord[]
} & (
  | {
      readonly born: true
      /** Host pid of the process, a child of this one: who gets it must reap it (waitid on the pidfd). */
      readonly pid: number
      /** Close-on-exec pidfd; the receiver closes it. */
      readonly pidfd: number
      /** A terminal's master that only now is there; its owner closes it. */
      readonly master?: number
    }
  | {
      readonly born: false
      /** The child has been reaped already. `message` is what Docker would say, from `exec: "x": …` or `error mounting …` on. */
      readonly failure: { readonly errno: number; readonly step: string; readonly message: string }
    }
)

/**
 * A process on its way to become a container's. Begun synchronously on the shim's main thread; the set-up then runs in the
 * child by itself. When `ready` becomes readable (its end: execve closed it, or the child died) call `finish`.
 */
export interface Birth {
  /** Read end of the pipe that execve closes; non-blocking. */
  readonly ready: number
  /** The terminal's master, non-blocking, when there is one; its owner closes it, also after a failure. */
  readonly master?: number
  /** Tells how it went and releases everything that was held for the birth, `ready` included. Call it exactly once. */
  finish(): BirthOutcome
}
