import { EngineError } from '@engine/linux'
import type { ProcessEnd } from '@engine/linux/wait'
import type { ActionRecord, ExecRequest, ExitStatus, ProcessKey, ShimEvent, StartRequest, Started } from './messages.ts'

/** What the shim says of a process it is parent of (or has adopted). */
export interface ShimProcess extends ProcessKey {
  readonly pid: number
  readonly startTime: string
  readonly runDirectory: string
  readonly directory: string
  readonly cgroupsPath: string
  readonly terminal: boolean
  /** Its standard input is still open at the shim. */
  readonly stdin: boolean
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
  /** A pidfd of engined's, opened while the process lived: with it an exit that nobody saw may still be known (Linux 6.15). */
  readonly pidfd?: number
  /** How it ended, should it have, as engined was told while there was no shim. */
  readonly told?: ProcessEnd
  readonly stdin: boolean
}

/** Why a process was not born; `message` is what Docker would say. */
export class BirthError extends EngineError {
  /** 0 when no system call was to blame. */
  readonly errno: number
  readonly step: string
  /** The kernel actions up to the failure, which `explain` shows. */
  readonly records: readonly ActionRecord[]

  constructor(message: string, failure: { readonly errno: number; readonly step: string; readonly records: readonly ActionRecord[] }) {
    super('internal', message)
    this.name = 'BirthError'
    this.errno = failure.errno
    this.step = failure.step
    this.records = failure.records
  }
}

/** engined's end of the conversation with the shim. One per engined. */
export interface ShimClient {
  /** @throws BirthError when execve was not reached; EngineError conflict when the shim has a process of that key */
  start(request: StartRequest): Promise<Started>
  exec(request: ExecRequest): Promise<Started>
  /** Watches a process whose shim died. Resolves when its streams are held again. */
  adopt(request: AdoptRequest): Promise<void>
  /** Closes the shim's write end of a standard input; engined closes its own. */
  closeStdin(key: ProcessKey): Promise<void>
  /** A duplicate, in this process, of a terminal's master (pidfd_getfd(2)); the caller closes it. */
  terminal(key: ProcessKey): Promise<number>
  resize(key: ProcessKey, rows: number, columns: number): Promise<void>
  /** Forgets an ended process; FIFOs are removed, spool and exit.json stay for the caller to remove. Nothing happens when the shim has none of that key. */
  release(key: ProcessKey): Promise<void>
  list(): Promise<readonly ShimProcess[]>
  /** Says that every process that is to be adopted has been: what a dead shim has left of others is closed. */
  renounce(): Promise<void>
  onEvent(listener: (event: ShimEvent) => void): void
  /**
   * Called when the shim has died, after another one has been started and has adopted every process that this client holds
   * (all it started, and all that were in the shim's list when it connected). Adopting one of them again does nothing.
   * The listener gets the new shim's list from before any request was passed on to it: what is started meanwhile is not in it.
   */
  onLost(listener: (adopted: readonly ShimProcess[]) => void): void
  /** Whether the shim runs another program, or another Node, than `program` and `nodeBinary` of its options are now. */
  outdated(): Promise<boolean>
  /** Re-executes the shim in place with the program at `path`; children and descriptors stay. */
  upgrade(path: string): Promise<void>
  /** Ends the connection; the shim goes on. */
  close(): void
}
