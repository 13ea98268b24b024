/** Lets a number of pieces of work run at once; others wait for their turn, in order. */
export class Gate {
  #free: number
  readonly #waiting: (() => void)[] = []

  /** @param places at least 1 */
  constructor(places: number) {
    this.#free = places
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
