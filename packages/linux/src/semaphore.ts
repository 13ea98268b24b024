import { EngineError } from './error.ts'

/** Lets so many pieces of work through at a time, in the order of asking. */
export class Semaphore {
  #free: number
  readonly #waiting: (() => void)[] = []

  /** @param count at least 1 */
  constructor(count: number) {
    this.#free = count
  }

  /**
   * Runs work when there is room.
   * @param options `signal` ends the wait; `onWait` is called when there is one
   * @throws EngineError cancelled when `signal` comes before its turn
   */
  async run<T>(work: () => Promise<T>, { signal, onWait }: { readonly signal?: AbortSignal; readonly onWait?: () => void } = {}): Promise<T> {
    if (this.#free > 0) this.#free--
    else {
      onWait?.()
      await this.#turn(signal)
    }
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** Takes room, if there is any, until it is disposed. */
  tryEnter(): Disposable | undefined {
    if (this.#free === 0) return undefined
    this.#free--
    return { [Symbol.dispose]: () => this.#leave() }
  }

  /** The room goes to the next in line, without being free in between. */
  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        const at = this.#waiting.indexOf(enter)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(new EngineError('cancelled', 'context canceled'))
      }
      if (signal?.aborted === true) return leave()
      this.#waiting.push(enter)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }
}
