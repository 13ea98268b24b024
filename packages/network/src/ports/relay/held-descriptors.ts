import { closeSync } from 'node:fs'
import { SyscallError } from '@engine/linux'
import type { DescriptorObserver } from '@engine/linux/descriptor'
import { resetAtClose } from '@engine/linux/inet-socket'

/** As many descriptors as a process can have by default (fs.nr_open). */
const most = 1 << 20

/**
 * The descriptors of a thread, noted in memory that another one sees: they are the process's, and stay open when the thread dies. One
 * is noted after it was opened and struck before it is closed, so that a death in between leaves it open, and nobody else's is closed.
 */
export class HeldDescriptors implements DescriptorObserver {
  readonly #words: Int32Array

  /** @param buffer of {@link HeldDescriptors.memory}, the same in both threads; the system gives memory only for what is written */
  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(most / 8)
  }

  opened(fd: number): void {
    if (fd >= 0 && fd < most) Atomics.or(this.#words, fd >> 5, 1 << (fd & 31))
  }

  gone(fd: number): void {
    if (fd >= 0 && fd < most) Atomics.and(this.#words, fd >> 5, ~(1 << (fd & 31)))
  }

  /** Closes all, once the thread has ended; what was connected sees that it was broken off. @returns how many there were */
  closeAll(): number {
    let count = 0
    for (const [index, word] of this.#words.entries()) {
      if (word === 0) continue
      for (let bit = 0; bit < 32; bit++) {
        if ((word & (1 << bit)) === 0) continue
        breakOff(index * 32 + bit)
        count++
      }
      this.#words[index] = 0
    }
    return count
  }
}

function breakOff(fd: number): void {
  try {
    resetAtClose(fd)
  } catch (error) {
    // It is no socket.
    if (!(error instanceof SyscallError)) throw error
  }
  closeSync(fd)
}
