import { Epoll } from '@engine/linux/epoll'
import { pidfdsTellExits } from '@engine/linux/pidfd'
import type { ProcessEnd } from '@engine/linux/wait'
import type { Poller } from './poller.ts'
import { ToldEnds } from './told-ends.ts'

/**
 * Who tells the shim how processes end that another shim made: they are children of process 1 now, which reaps them. On kernels
 * whose pidfds tell (Linux 6.15) nobody is asked; on older ones the kernel is listened to while there is such a process.
 */
export class Witness {
  readonly #poller: Poller
  readonly #log: (message: string) => void
  readonly #needed: boolean
  readonly #waiting = new Map<number, () => void>()
  #listening: { readonly ends: ToldEnds; readonly stop: () => void } | undefined

  /** @param needed whether pidfds do not tell */
  constructor(poller: Poller, log: (message: string) => void, needed = !pidfdsTellExits) {
    this.#poller = poller
    this.#log = log
    this.#needed = needed
  }

  /** @param told something was told of this process: see `find` @returns what ends the attention */
  watch(pid: number, told: () => void): () => void {
    if (!this.#needed) return () => undefined
    this.#waiting.set(pid, told)
    this.#listen()
    return () => {
      this.#waiting.delete(pid)
      this.#listening?.ends.forget(pid)
      if (this.#waiting.size === 0) this.close()
    }
  }

  /** How a process ended, of which is known that it has. */
  find(pid: number): ProcessEnd | undefined {
    this.#listening?.ends.read()
    return this.#listening?.ends.find(pid)
  }

  close(): void {
    this.#listening?.stop()
    this.#listening = undefined
  }

  #listen(): void {
    if (this.#listening !== undefined) return
    try {
      const ends = new ToldEnds((pid) => this.#waiting.has(pid))
      const watch = this.#poller.watch(ends.fd, Epoll.IN, () => this.#read(ends))
      this.#listening = {
        ends,
        stop: () => {
          watch.stop()
          ends[Symbol.dispose]()
        },
      }
    } catch (error) {
      this.#log(`how processes end that this shim has not made will not be known: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #read(ends: ToldEnds): void {
    ends.read()
    for (const [pid, told] of this.#waiting) if (ends.find(pid) !== undefined) told()
  }
}
