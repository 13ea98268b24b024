import { closeSync } from 'node:fs'
import { openProcess } from '@engine/linux/open-process'
import type { ProcessEnd } from '@engine/linux/wait'
import type { AdoptRequest, ShimProcess } from './client-types.ts'
import { reopenFifos } from './fifos.ts'
import { keyOf } from './key.ts'
import { closeAll, type SharedDescriptors } from './shared-descriptors.ts'

/**
 * What engined holds of a running process so that the shim's death loses nothing: read ends of its FIFOs (a pipe that nobody has
 * open forgets its content), the write end of its standard input (whose closing would be an end of file), its terminal's master
 * (whose closing would be a hangup), and a pidfd (which may tell how it ended).
 */
export class HeldProcess {
  readonly #process: Omit<ShimProcess, 'status'>
  readonly #descriptors: SharedDescriptors
  #stdin: number | undefined

  /** @param descriptors what the shim has passed; this object's to close */
  constructor(process: Omit<ShimProcess, 'status'>, descriptors: SharedDescriptors) {
    const { stdin, ...others } = descriptors
    this.#process = process
    this.#descriptors = others
    this.#stdin = stdin
  }

  /** Of a process that no shim has any more: what its names lead to. A terminal has none: it is gone. */
  static open(process: Omit<ShimProcess, 'status'>): HeldProcess {
    const pidfd = ifItIsThere(() => openProcess(process))
    const fifos = process.terminal ? undefined : ifItIsThere(() => reopenFifos(process.runDirectory, process.stdin))
    return new HeldProcess(process, { ...(pidfd === undefined ? {} : { pidfd }), ...fifos })
  }

  closeStdin(): void {
    if (this.#stdin !== undefined) closeSync(this.#stdin)
    this.#stdin = undefined
  }

  /** For the next shim. The descriptors must stay open until it has answered. @param told how it ended, should it have */
  adoption(told?: ProcessEnd): AdoptRequest {
    const { pid, startTime, runDirectory, directory, cgroupsPath } = this.#process
    const { master, pidfd } = this.#descriptors
    return {
      ...keyOf(this.#process),
      pid,
      startTime,
      runDirectory,
      directory,
      cgroupsPath,
      stdin: this.#stdin !== undefined,
      ...(master === undefined ? {} : { master }),
      ...(pidfd === undefined ? {} : { pidfd }),
      ...(told === undefined ? {} : { told }),
    }
  }

  get pid(): number {
    return this.#process.pid
  }

  close(): void {
    this.closeStdin()
    closeAll(this.#descriptors)
  }
}

/** What cannot be had here, the next shim tries itself, and says why it cannot. */
function ifItIsThere<T>(open: () => T): T | undefined {
  try {
    return open()
  } catch {
    return undefined
  }
}
