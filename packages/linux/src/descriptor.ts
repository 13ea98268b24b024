import { closeSync } from 'node:fs'

/** An open file descriptor that is closed where its scope ends: `using file = openInRoot(…)`. */
export class Descriptor implements Disposable {
  #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  /** The descriptor's number; -1 after it was closed or released, so that a late use fails with EBADF and hits nobody else's file. */
  get fd(): number {
    return this.#fd
  }

  /** Gives the number away: the caller closes it from now on. */
  release(): number {
    const fd = this.#fd
    this.#fd = -1
    return fd
  }

  /** Closes it; nothing happens the second time. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.release())
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
