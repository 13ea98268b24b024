/** Lets one piece of work at a time through, in the order of asking. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** Whether somebody is inside or waits. */
  get busy(): boolean {
    return this.#waiting > 0
  }

  /** Runs `work` when all that asked before are done, whether they failed or not. Not to be nested. */
  async run<T>(work: () => Promise<T> | T): Promise<T> {
    const before = this.#waiting === 0 ? undefined : this.#last
    this.#waiting++
    const turn = (async () => {
      if (before !== undefined) await before
      return work()
    })()
    this.#last = turn.then(ignore, ignore)
    try {
      return await turn
    } finally {
      this.#waiting--
    }
  }
}

const ignore = (): void => undefined
