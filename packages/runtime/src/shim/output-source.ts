import { readSync } from 'node:fs'
import { pipeSize } from '@engine/linux/fifo'
import type { StreamNumber } from './spool-format.ts'
import type { SpoolWriter } from './spool-writer.ts'

/** Results of taking output, besides how many bytes were moved. */
export const ENDED = 0
export const EMPTY = -1

/** One stream of a process's output at the shim. */
export interface OutputSource {
  readonly fd: number
  readonly stream: StreamNumber
  /** Bytes it may hold at most: what is still to be taken once its process has ended. */
  readonly capacity: number
  /**
   * Moves at most `budget` bytes into the spool.
   * @returns bytes moved; ENDED when there will be no more; EMPTY when there is nothing now
   * @throws with ENOSPC or EDQUOT when the disk is full; nothing is lost then
   */
  take(spool: SpoolWriter, budget: number): number
}

/** Output that comes through a FIFO: moved, never read. */
export class FifoSource implements OutputSource {
  readonly fd: number
  readonly stream: StreamNumber

  constructor(fd: number, stream: StreamNumber) {
    this.fd = fd
    this.stream = stream
  }

  get capacity(): number {
    return pipeSize(this.fd)
  }

  take(spool: SpoolWriter, budget: number): number {
    return spool.splice(this.stream, this.fd, budget)
  }
}

const TERMINAL_READ_BYTES = 64 * 1024
const buffer = Buffer.alloc(TERMINAL_READ_BYTES)

/**
 * Output of a terminal, by its master (non-blocking). A terminal cannot be spliced into a file, so what a killed shim had read
 * but not written is lost: some microseconds' worth.
 */
export class TerminalSource implements OutputSource {
  readonly fd: number
  readonly stream = 1
  readonly capacity = TERMINAL_READ_BYTES
  /** Read, but the disk was full. */
  #unsaved: Buffer | undefined

  constructor(master: number, unsaved?: Buffer) {
    this.fd = master
    this.#unsaved = unsaved
  }

  /** What was read but is not written yet. */
  get unsaved(): Buffer | undefined {
    return this.#unsaved
  }

  take(spool: SpoolWriter, budget: number): number {
    if (this.#unsaved === undefined) {
      let length: number
      try {
        length = readSync(this.fd, buffer, 0, Math.min(budget, TERMINAL_READ_BYTES), null)
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        if (code === 'EAGAIN') return EMPTY
        // EIO: the last slave descriptor was closed.
        if (code === 'EIO') return ENDED
        throw error
      }
      if (length === 0) return ENDED
      this.#unsaved = buffer.subarray(0, length)
    }
    const { length } = this.#unsaved
    let unsaved: Buffer = this.#unsaved
    try {
      while (unsaved.length > 0) unsaved = unsaved.subarray(spool.write(1, unsaved))
      this.#unsaved = undefined
    } catch (error) {
      this.#unsaved = Buffer.from(unsaved)
      throw error
    }
    return length
  }
}
