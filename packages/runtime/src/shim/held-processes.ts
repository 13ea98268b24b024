import { isError } from '@engine/linux'
import type { ProcessEnd } from '@engine/linux/wait'
import type { AdoptRequest, ShimProcess } from './client-types.ts'
import { HeldProcess } from './held-process.ts'
import { keyOf, keyText } from './key.ts'
import type { ProcessKey } from './messages.ts'
import type { ShimConnection } from './shim-connection.ts'

/** The processes that run, as far as this client has something of them open. */
export class HeldProcesses {
  readonly #held = new Map<string, HeldProcess>()

  has(key: ProcessKey): boolean {
    return this.#held.has(keyText(key))
  }

  get(key: ProcessKey): HeldProcess | undefined {
    return this.#held.get(keyText(key))
  }

  hasPid(pid: number): boolean {
    return [...this.#held.values()].some((held) => held.pid === pid)
  }

  /** What the next shim has to adopt, by what names it in a log. @param told how a process has ended, should it have */
  *adoptions(told: (pid: number) => ProcessEnd | undefined): Iterable<readonly [string, AdoptRequest]> {
    for (const [name, held] of this.#held) yield [name, held.adoption(told(held.pid))]
  }

  /** Holds a running process's descriptors, as the shim has passed them, or else by their names. */
  hold(connection: ShimConnection, process: Omit<ShimProcess, 'status'>): void {
    const shared = connection.inbox.take(process)
    this.#held.set(keyText(process), shared === undefined ? HeldProcess.open(process) : new HeldProcess(process, shared))
  }

  /** Holds a process that no shim has any more by its names. */
  open(process: Omit<ShimProcess, 'status'>): HeldProcess {
    const held = this.#held.get(keyText(process)) ?? HeldProcess.open(process)
    this.#held.set(keyText(process), held)
    return held
  }

  /** Has the shim share what it holds of a running process. */
  async share(connection: ShimConnection, process: ShimProcess): Promise<void> {
    if (process.status !== undefined || this.has(process)) return
    try {
      await connection.request('share', keyOf(process))
    } catch (error) {
      // It has ended meanwhile.
      if (isError(error, 'conflict') || isError(error, 'not-found')) return
      // A shim from before knows no such request.
      if (!isError(error, 'not-implemented')) throw error
    }
    this.hold(connection, process)
  }

  letGo(key: ProcessKey): void {
    this.#held.get(keyText(key))?.close()
    this.#held.delete(keyText(key))
  }

  close(): void {
    for (const held of this.#held.values()) held.close()
    this.#held.clear()
  }
}
