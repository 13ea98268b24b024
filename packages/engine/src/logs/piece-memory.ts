/** Bytes of the memory that a large piece of output is sent to a subscriber in. */
export const PIECE_BYTES = 128 * 1024
/** As many may wait to be used again. */
const MOST = 16

/** Memory for pieces in the log worker: it goes to the main thread with its piece and comes back, so that a stream makes no garbage. */
export class PieceMemory {
  readonly #free: ArrayBuffer[] = []

  take(): ArrayBuffer {
    return this.#free.pop() ?? new ArrayBuffer(PIECE_BYTES)
  }

  giveBack(memory: readonly ArrayBuffer[]): void {
    for (const each of memory) if (this.#free.length < MOST) this.#free.push(each)
  }
}
