import type { Socket } from 'node:net'
import type { BodyDecoder } from './wire.ts'

/** Bytes that are held for a slow reader before the daemon is made to wait. */
const HIGH_WATER = 1024 * 1024

/** An answer's body, read once, bit by bit. */
export class Body implements AsyncIterable<Buffer> {
  readonly #socket: Socket
  readonly #decoder: BodyDecoder
  readonly #queue: Buffer[] = []
  readonly #onEnd: (whole: boolean) => void
  #queued = 0
  #done = false
  #failure: Error | undefined
  #wake: () => void = () => undefined

  /**
   * @param start bytes that came together with the head
   * @param onEnd called once: with true when the body ended by its framing, so that the connection can be used again
   */
  constructor(socket: Socket, decoder: BodyDecoder, start: Buffer, onEnd: (whole: boolean) => void) {
    this.#socket = socket
    this.#decoder = decoder
    this.#onEnd = onEnd
    socket.on('data', this.#onData)
    socket.on('close', this.#onClose)
    socket.on('error', this.#onError)
    if (start.length > 0) this.#onData(start)
    if (decoder.ended) this.#finish(true)
    else socket.resume()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const chunk = this.#queue.shift()
        if (chunk !== undefined) {
          this.#queued -= chunk.length
          if (this.#queued < HIGH_WATER && this.#socket.isPaused() && !this.#done) this.#socket.resume()
          yield chunk
          continue
        }
        if (this.#failure !== undefined) throw this.#failure
        if (this.#done) return
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      if (!this.#done) this.destroy()
    }
  }

  /** The whole body as text. */
  async text(): Promise<string> {
    const chunks: Buffer[] = []
    for await (const chunk of this) chunks.push(chunk)
    return Buffer.concat(chunks).toString('utf8')
  }

  /** Reads no more; the daemon sees the connection close. */
  destroy(): void {
    this.#finish(false)
    this.#socket.destroy()
  }

  readonly #onData = (bytes: Buffer): void => {
    try {
      for (const chunk of this.#decoder.push(bytes)) {
        this.#queue.push(chunk)
        this.#queued += chunk.length
      }
    } catch (error) {
      this.#onError(error as Error)
      return
    }
    if (this.#queued >= HIGH_WATER) this.#socket.pause()
    if (this.#decoder.ended) this.#finish(true)
    this.#wake()
  }

  readonly #onClose = (): void => {
    if (!this.#decoder.untilClose && !this.#done) this.#failure ??= new Error('the connection was closed before the answer was complete')
    this.#finish(false)
  }

  readonly #onError = (error: Error): void => {
    this.#failure ??= error
    this.#finish(false)
    this.#socket.destroy()
  }

  #finish(whole: boolean): void {
    if (this.#done) return
    this.#done = true
    this.#socket.off('data', this.#onData)
    this.#socket.off('close', this.#onClose)
    this.#socket.off('error', this.#onError)
    // A socket without a listener for errors would end the process.
    this.#socket.on('error', ignore)
    this.#wake()
    this.#onEnd(whole)
  }
}

function ignore(): void {
  // The answer is complete, or given up: what the connection does now is of no interest.
}
