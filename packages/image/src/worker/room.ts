/** How many more pieces a job takes; none before it has begun. */
export class Room {
  #count: number
  #closed = false
  #open = false
  #wake = (): void => undefined

  constructor(count: number) {
    this.#count = count
  }

  open(): void {
    this.#open = true
    this.#wake()
  }

  add(): void {
    this.#count++
    this.#wake()
  }

  close(): void {
    this.#closed = true
    this.#wake()
  }

  /** Waits for room for one piece. @returns false when none is taken any more */
  async take(): Promise<boolean> {
    while (!this.#closed && (!this.#open || this.#count === 0)) await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#count--
    return !this.#closed
  }
}
