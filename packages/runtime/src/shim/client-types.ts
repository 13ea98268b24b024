import type { ExecRequest, ExitStatus, ProcessKey, ShimEvent, StartRequest, Started } from './messages.ts'

/** What the shim says of a process it is parent of (or has adopted). */
export interface ShimProcess extends ProcessKey {
  readonly pid: number
  readonly startTime: string
  /** Present once it has ended and until it is released. */
  readonly status?: ExitStatus
}

/** A process to be watched by a shim that did not make it (its predecessor died). */
export interface AdoptRequest extends ProcessKey {
  readonly pid: number
  readonly startTime: string
  readonly runDirectory: string
  readonly directory: string
  readonly cgroupsPath: string
  /** The terminal's master as a descriptor number of engined's, which the shim takes with pidfd_getfd(2). */
  readonly master?: number
  readonly stdin: boolean
}

/** engined's end of the conversation with the shim. One per engined. */
export interface ShimClient {
  start(request: StartRequest): Promise<Started>
  exec(request: ExecRequest): Promise<Started>
  /** Watches a process whose shim died. Resolves when its streams are held again. */
  adopt(request: AdoptRequest): Promise<void>
  /** Closes the shim's write end of a standard input; engined closes its own. */
  closeStdin(key: ProcessKey): Promise<void>
  /** A duplicate, in this process, of a terminal's master (pidfd_getfd(2)); the caller closes it. */
  terminal(key: ProcessKey): Promise<number>
  resize(key: ProcessKey, rows: number, columns: number): Promise<void>
  /** Forgets an ended process; FIFOs are removed, spool and exit.json stay for the caller to remove. */
  release(key: ProcessKey): Promise<void>
  list(): Promise<readonly ShimProcess[]>
  onEvent(listener: (event: ShimEvent) => void): void
  /** Called when the connection is lost (the shim died). */
  onLost(listener: () => void): void
  /** Re-executes the shim in place with the program at `path`; children and descriptors stay. */
  upgrade(path: string): Promise<void>
  /** Ends the connection; the shim goes on. */
  close(): void
}
