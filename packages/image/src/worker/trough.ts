import { EngineError } from '@engine/linux'

/** What a job is fed with: pieces come as messages, and each that was taken makes room for another. */
export class Trough implements AsyncIterable<Buffer> {
  readonly #taken: () => void
  readonly #chunks: Uint8Array[] = []
  #ended = false
  #aborted = false
  #wake = (): void => undefined

  /** @param taken called when a piece was taken */
  constructor(taken: () => void) {
    this.#taken = taken
  }

  /** The next piece; without one, the end. */
  add(chunk: Uint8Array | undefined): void {
    if (chunk === undefined) this.#ended = true
    else this.#chunks.push(chunk)
    this.#wake()
  }

  abort(): void {
    this.#aborted = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      if (this.#aborted) throw new EngineError('cancelled', 'cancelled')
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#taken()
        yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      } else if (this.#ended) {
        return
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    }
  }
}
