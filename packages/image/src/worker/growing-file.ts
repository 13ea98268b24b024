import { open } from 'node:fs/promises'
import { readSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { EngineError } from '@engine/linux'
import { compressionOf, counted, decompressed, magicLength } from '../layer/compression.ts'

/** How far a file is that is still being written while a worker reads it: its writer's side, on the main thread. */
export class GrowingFile {
  /** Bytes that it will have. */
  readonly size: number
  readonly #abandoned = new AbortController()
  #bytes = 0
  #whole = false
  readonly #watchers = new Set<() => void>()

  constructor(size: number) {
    this.size = size
  }

  /** Comes when what was written is not what it will have. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal
  }

  abandon(): void {
    this.#abandoned.abort()
  }

  /** So much of it is written. @param whole nothing more comes */
  grow(bytes: number, whole: boolean): void {
    this.#bytes = bytes
    this.#whole = whole
    for (const watcher of this.#watchers) watcher()
  }

  /** Is told at once how much there is, and whenever there is more. @returns what ends it */
  watch(told: (bytes: number, whole: boolean) => void): () => void {
    const watcher = (): void => told(this.#bytes, this.#whole)
    this.#watchers.add(watcher)
    watcher()
    return () => void this.#watchers.delete(watcher)
  }
}

const chunkSize = 256 << 10

/** The same in the worker that reads it, told by messages. */
export class Growth {
  #bytes = 0
  #whole = false
  #aborted = false
  #wake = (): void => undefined

  grow(bytes: number, whole: boolean): void {
    this.#bytes = bytes
    this.#whole = whole
    this.#wake()
  }

  abort(): void {
    this.#aborted = true
    this.#wake()
  }

  /**
   * The uncompressed bytes of the file, as they come. A piece is valid until the next is asked for.
   * @param onRead told how many of the file's bytes have been read
   * @throws EngineError cancelled by {@link abort}; invalid-argument in the stream, for data that is damaged
   */
  async *read(path: string, onRead: (bytes: number) => void = () => undefined): AsyncGenerator<Buffer, void, undefined> {
    await this.#beyond(magicLength - 1)
    // Streams keep pieces for a while, each needs memory of its own; what is not compressed goes through one buffer.
    if ((await compressionOf(path)) === 'none') yield* counted(this.#pieces(path, Buffer.allocUnsafe(chunkSize)), onRead)
    else yield* decompressed(counted(this.#pieces(path), onRead))
  }

  async *#pieces(path: string, buffer?: Buffer): AsyncGenerator<Buffer, void, undefined> {
    await using file = await open(path, 'r')
    let at = 0
    for (let there = await this.#beyond(at); there > at; there = await this.#beyond(at)) {
      const piece = buffer ?? Buffer.allocUnsafe(Math.min(chunkSize, there - at))
      const count = readSync(file.fd, piece, 0, Math.min(piece.length, there - at), at)
      if (count === 0) throw new EngineError('invalid-argument', 'unexpected EOF')
      at += count
      yield piece.subarray(0, count)
      // A turn for messages, which may say that it is cancelled.
      await setImmediate()
    }
  }

  /** Waits until there is more than that, or no more comes. @returns bytes that there are */
  async #beyond(bytes: number): Promise<number> {
    while (!this.#aborted && !this.#whole && this.#bytes <= bytes) await new Promise<void>((resolve) => (this.#wake = resolve))
    if (this.#aborted) throw new EngineError('cancelled', 'cancelled')
    return this.#bytes
  }
}
