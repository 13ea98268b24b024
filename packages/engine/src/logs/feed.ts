import { SpoolReader, type SpoolPosition } from '@engine/runtime/spool'
import type { PieceMemory } from './piece-memory.ts'
import type { SentChunk } from './worker-messages.ts'

/** Bytes that are sent at once. */
const BATCH_BYTES = 256 * 1024
/** A piece of less is sent in memory of its own. */
const LITTLE_BYTES = 8 * 1024

/** One subscriber in the worker: it has a place of its own in the spool, and is sent no more than it has asked for. */
export class Feed {
  readonly id: number
  readonly #reader: SpoolReader
  readonly #memory: PieceMemory
  #credit: number

  constructor(id: number, spool: string, from: SpoolPosition, credit: number, memory: PieceMemory) {
    this.id = id
    this.#memory = memory
    this.#reader = new SpoolReader(spool, from)
    this.#credit = credit
  }

  /** The oldest segment that it still needs. */
  get segment(): number {
    return this.#reader.position.segment
  }

  grant(bytes: number): void {
    this.#credit += bytes
  }

  /**
   * The next pieces, as far as it may have them.
   * @param end where the process's output ends, when that is known
   */
  take(end: SpoolPosition | undefined): { readonly chunks: readonly SentChunk[]; readonly state: 'more' | 'waits' | 'ended' } {
    const chunks: SentChunk[] = []
    for (let bytes = 0; bytes < BATCH_BYTES; ) {
      if (end !== undefined && !isBefore(this.#reader.position, end)) return { chunks, state: 'ended' }
      if (this.#credit <= 0) return { chunks, state: 'waits' }
      const memory = this.#memory.take()
      const piece = this.#reader.next(Buffer.from(memory), this.#credit)
      const length = piece?.data.length ?? 0
      if (length < LITTLE_BYTES) this.#memory.giveBack([memory])
      // With an end this is a spool that was removed before it was read.
      if (piece === undefined) return { chunks, state: end === undefined ? 'waits' : 'ended' }
      chunks.push({ stream: piece.stream, bytes: length < LITTLE_BYTES ? Uint8Array.from(piece.data) : new Uint8Array(memory, 0, length) })
      this.#credit -= length
      bytes += length
    }
    return { chunks, state: 'more' }
  }

  close(): void {
    this.#reader.close()
  }
}

function isBefore(a: SpoolPosition, b: SpoolPosition): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.index < b.index)
}
