import { closeSync } from 'node:fs'

/** Told of the descriptors that come and go in this thread. */
export interface DescriptorObserver {
  opened(fd: number): void
  /** It is about to be closed, or somebody else's from now on. */
  gone(fd: number): void
}

let observer: DescriptorObserver | undefined

/** Has every {@link Descriptor} of this thread noted; for a thread whose death is not to leave any. */
export function observeDescriptors(by: DescriptorObserver): void {
  observer = by
}

/** An open file descriptor that is closed where its scope ends: `using file = openInRoot(…)`. */
export class Descriptor implements Disposable {
  #fd: number

  constructor(fd: number) {
    this.#fd = fd
    observer?.opened(fd)
  }

  /** The descriptor's number; -1 after it was closed or released, so that a late use fails with EBADF and hits nobody else's file. */
  get fd(): number {
    return this.#fd
  }

  /** Gives the number away: the caller closes it from now on. */
  release(): number {
    const fd = this.#fd
    this.#fd = -1
    if (fd >= 0) observer?.gone(fd)
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
