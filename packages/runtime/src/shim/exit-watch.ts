import { Errno, failedWith } from '@engine/linux'
import { Epoll } from '@engine/linux/epoll'
import { pidfdExitStatus, pidfdsTellExits } from '@engine/linux/pidfd'
import { processStat } from '@engine/linux/process-stat'
import { reap, type ProcessEnd } from '@engine/linux/wait'
import type { Poller, Watch } from './poller.ts'
import type { Witness } from './witness.ts'

/** How long is waited for news of a process that has ended, when nobody has said how. */
const UNKNOWN_MILLISECONDS = 2000

/** A process whose end is waited for. */
export interface Watched {
  readonly pid: number
  readonly startTime: string
  readonly pidfd: number
  /** Another process is the parent: this shim found it running. */
  readonly adopted: boolean
  /** What whoever had it before knows of its end, should it have ended. */
  readonly told?: ProcessEnd | undefined
}

/** Waits for the end of one process, and finds out how it was. */
export class ExitWatch {
  readonly #process: Watched
  readonly #witness: Witness
  readonly #watch: Watch
  readonly #dismiss: (() => void) | undefined
  readonly #ended: (end: ProcessEnd | undefined) => void
  #over = false
  #timer: NodeJS.Timeout | undefined

  /** @param ended is called once; undefined when nobody knows how it ended */
  constructor(process: Watched, { poller, witness }: { readonly poller: Poller; readonly witness: Witness }, ended: (end: ProcessEnd | undefined) => void) {
    this.#process = process
    this.#witness = witness
    this.#ended = ended
    this.#watch = poller.watch(process.pidfd, Epoll.IN, (events) => (process.adopted ? this.#lookAfter(events) : this.#reap()))
    // What is told before the pidfd is readable may be of one thread.
    this.#dismiss = process.adopted ? witness.watch(process.pid, () => this.#timer === undefined || this.#end(this.#known())) : undefined
  }

  /** Ends the waiting; the pidfd may be closed afterwards. */
  stop(): void {
    this.#over = true
    this.#watch.stop()
    this.#dismiss?.()
    clearTimeout(this.#timer)
  }

  #reap(): void {
    try {
      const end = reap(this.#process.pidfd)
      if (end !== undefined) this.#end(end)
    } catch (error) {
      if (!failedWith(error, Errno.ECHILD)) throw error
      this.#end(pidfdExitStatus(this.#process.pidfd))
    }
  }

  /** The pidfd of another's child is readable: as a zombie it can be looked at, and once reaped the pidfd or the witness may know. */
  #lookAfter(events: number): void {
    const known = this.#known()
    // Newer kernels say by HUP that it has been reaped, and then know all there is to know.
    if (known !== undefined || ((events & Epoll.HUP) !== 0 && pidfdsTellExits)) {
      this.#end(known)
      return
    }
    this.#watch.modify(0)
    this.#timer ??= setTimeout(() => this.#end(this.#known()), UNKNOWN_MILLISECONDS)
  }

  #known(): ProcessEnd | undefined {
    const { pid, pidfd, told } = this.#process
    return pidfdExitStatus(pidfd) ?? this.#zombie() ?? this.#witness.find(pid) ?? told
  }

  #zombie(): ProcessEnd | undefined {
    const stat = processStat(this.#process.pid)
    return stat?.startTime === this.#process.startTime ? stat.end : undefined
  }

  #end(end: ProcessEnd | undefined): void {
    if (this.#over) return
    this.stop()
    this.#ended(end)
  }
}
