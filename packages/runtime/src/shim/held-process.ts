import { closeSync } from 'node:fs'
import { openProcess } from '@engine/linux/open-process'
import { pidfdGetfd } from '@engine/linux/pidfd'
import type { AdoptRequest, ShimProcess } from './client-types.ts'
import { reopenFifos, type Fifos } from './fifos.ts'
import { keyOf } from './key.ts'

/**
 * What engined holds of a running process so that the shim's death loses nothing: read ends of its FIFOs (a pipe that nobody has
 * open forgets its content), the write end of its standard input (whose closing would be an end of file), its terminal's master
 * (whose closing would be a hangup), and a pidfd (which may tell how it ended).
 */
export class HeldProcess {
  readonly #process: ShimProcess
  readonly #pidfd: number | undefined
  readonly #fifos: Fifos | undefined
  readonly #master: number | undefined
  #stdin: number | undefined

  /** @param master the terminal's master: a descriptor number of the shim's */
  constructor(process: ShimProcess, shim: number, master: number | undefined) {
    this.#process = process
    this.#pidfd = pidfdOf(process)
    try {
      this.#fifos = process.terminal ? undefined : reopenFifos(process.runDirectory, process.stdin)
    } catch {
      // It has ended and was released meanwhile.
      this.#fifos = undefined
    }
    this.#stdin = this.#fifos?.stdin
    this.#master = master === undefined ? undefined : pidfdGetfd(shim, master)
  }

  closeStdin(): void {
    if (this.#stdin !== undefined) closeSync(this.#stdin)
    this.#stdin = undefined
  }

  /** For the next shim. The descriptors must stay open until it has answered. */
  adoption(): AdoptRequest {
    const { pid, startTime, runDirectory, directory, cgroupsPath } = this.#process
    return {
      ...keyOf(this.#process),
      pid,
      startTime,
      runDirectory,
      directory,
      cgroupsPath,
      stdin: this.#stdin !== undefined,
      ...(this.#master === undefined ? {} : { master: this.#master }),
      ...(this.#pidfd === undefined ? {} : { pidfd: this.#pidfd }),
    }
  }

  close(): void {
    this.closeStdin()
    for (const fd of [this.#pidfd, this.#fifos?.stdout, this.#fifos?.stderr, this.#master]) if (fd !== undefined) closeSync(fd)
  }
}

/** Where no descriptor can be had, the next shim opens one itself. */
function pidfdOf(process: ShimProcess): number | undefined {
  try {
    return openProcess(process)
  } catch {
    return undefined
  }
}
