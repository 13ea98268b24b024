import { ProcessExits } from '@engine/linux/process-exits'
import type { ProcessEnd } from '@engine/linux/wait'

/** What the kernel has told of one process. */
interface Told {
  readonly end: ProcessEnd
  /** Its first thread has ended: before that it lives, whatever its others do. */
  readonly first: boolean
}

/** The ends of processes that are others' children, as far as they were told while somebody listened. */
export class ToldEnds implements Disposable {
  readonly #exits = new ProcessExits()
  readonly #told = new Map<number, Told>()
  readonly #of: (pid: number) => boolean

  /**
   * Listens from now on.
   * @param of which processes are of interest, by pid
   * @throws SyscallError where the kernel does not tell this process
   */
  constructor(of: (pid: number) => boolean) {
    this.#of = of
  }

  /** Is readable when there is something new. */
  get fd(): number {
    return this.#exits.fd
  }

  /** Takes what is new. */
  read(): void {
    this.#exits.read((pid, end, first) => {
      // With several threads the last one's is the process's; all have the same when it was ended as a whole.
      if (this.#of(pid)) this.#told.set(pid, { end, first: first || this.#told.get(pid)?.first === true })
    })
  }

  /** How a process ended, of which is known that it has; undefined when that was not told. */
  find(pid: number): ProcessEnd | undefined {
    const told = this.#told.get(pid)
    return told?.first === true ? told.end : undefined
  }

  forget(pid: number): void {
    this.#told.delete(pid)
  }

  [Symbol.dispose](): void {
    this.#exits[Symbol.dispose]()
  }
}
