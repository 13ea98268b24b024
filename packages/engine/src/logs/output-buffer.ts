/** Bytes that are gathered, in memory that is used again and again. */
export class OutputBuffer {
  #bytes: Buffer = Buffer.alloc(0)
  /** Bytes that are there. Whoever has asked for room may write beyond them and raise it. */
  length = 0

  /** The memory, with room for so many bytes more after `length`; valid until the next call. */
  room(bytes: number): Buffer {
    const needed = this.length + bytes
    if (this.#bytes.length < needed) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length))
      this.#bytes.copy(larger, 0, 0, this.length)
      this.#bytes = larger
    }
    return this.#bytes
  }

  /** What is there; overwritten after the next `clear`. */
  get content(): Buffer {
    return this.#bytes.subarray(0, this.length)
  }

  clear(): void {
    this.length = 0
  }
}
