import { closeSync, openSync } from 'node:fs'
import type { Descriptor, UnpackedLayer } from '@engine/image'
import type { ImageStore } from './image-store.ts'
import type { Registries } from './registries.ts'

/** Blobs of so many bytes are worth it. */
const worthIt = 4 << 20

/**
 * A layer that is unpacked while its blob still comes. Nothing that is made of bytes whose digest is not known yet can be seen by anybody:
 * it lies under a name of nobody's until the blob was verified, and goes when it is wrong.
 */
export class EarlyLayer implements AsyncDisposable {
  readonly #registries: Registries
  readonly #store: ImageStore
  readonly #blob: Descriptor
  readonly #end = new AbortController()
  readonly #signal: AbortSignal
  #work: Promise<UnpackedLayer | undefined> | undefined

  constructor(registries: Registries, store: ImageStore, blob: Descriptor, signal: AbortSignal) {
    this.#registries = registries
    this.#store = store
    this.#blob = blob
    this.#signal = AbortSignal.any([signal, this.#end.signal])
  }

  /** Begins, if the blob is coming and there is room; called whenever more of it has come. @param onProgress told how many of its bytes were read */
  begin(onProgress: (bytes: number) => void): void {
    if (this.#work !== undefined || this.#blob.size < worthIt) return
    const coming = this.#registries.coming.get(this.#blob.digest)
    // A thread that waits for a slow registry does nothing else.
    const room = coming === undefined ? undefined : this.#registries.early.tryEnter()
    if (coming === undefined || room === undefined) return
    // It may be renamed before a thread opens it.
    const fd = openSync(this.#store.content.partialPath(this.#blob.digest), 'r')
    const signal = AbortSignal.any([this.#signal, coming.abandoned])
    this.#work = this.#store.overlay
      .unpackLayer({ file: `/proc/self/fd/${fd}`, growing: coming }, signal, onProgress)
      // What is wrong with it, the whole blob tells.
      .catch(() => undefined)
      .finally(() => {
        room[Symbol.dispose]()
        closeSync(fd)
      })
  }

  /** What was unpacked; undefined when it has not begun or did not succeed, so that it is to be done with the whole blob. */
  async result(): Promise<UnpackedLayer | undefined> {
    return await this.#work
  }

  /** Ends it, and takes away what has no place. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    const unpacked = await this.#work
    await unpacked?.[Symbol.asyncDispose]()
  }
}
