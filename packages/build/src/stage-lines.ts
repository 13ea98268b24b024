import type { BuildLine, WriteLines } from './output.ts'

/** Lines of a stage that wait for the stages before it; one that has more waits itself. */
const maxWaiting = 20_000

/**
 * Puts the lines of stages that are built at once into the stages' order: the first that is not done is told as it goes, those
 * after it when it is their turn. A stage only ever waits for those before it, and these never for it.
 */
export class StageLines {
  readonly #write: WriteLines
  readonly #stages: Queue[]
  #current = 0
  #flushing = Promise.resolve()

  constructor(write: WriteLines, count: number) {
    this.#write = write
    this.#stages = Array.from({ length: count }, () => ({ lines: [], ended: false, turn: Promise.withResolvers<void>() }))
    this.#stages[0]?.turn.resolve()
  }

  /** The writer of one stage. */
  stage(index: number): WriteLines {
    const queue = this.#stages[index] as Queue
    return (line) => {
      if (index <= this.#current) return this.#write(line)
      queue.lines.push(line)
      return queue.lines.length < maxWaiting ? undefined : queue.turn.promise
    }
  }

  /** A stage has said all that it has to. */
  end(index: number): Promise<void> {
    const ended = this.#stages[index] as Queue
    ended.ended = true
    this.#flushing = this.#flushing.then(() => this.#advance())
    return this.#flushing
  }

  async #advance(): Promise<void> {
    while (this.#stages[this.#current]?.ended === true && this.#current + 1 < this.#stages.length) {
      const next = this.#stages[this.#current + 1] as Queue
      for (let line = next.lines.shift(); line !== undefined; line = next.lines.shift()) await this.#write(line)
      this.#current++
      next.turn.resolve()
    }
  }
}

interface Queue {
  readonly lines: BuildLine[]
  ended: boolean
  readonly turn: PromiseWithResolvers<void>
}
