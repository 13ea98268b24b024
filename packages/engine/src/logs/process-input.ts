import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { ReadStream } from 'node:tty'
import { Writable } from 'node:stream'
import { callbackify } from 'node:util'

/** How many bytes wait here when a process does not read; then the client waits. */
const WAITING_BYTES = 64 * 1024

/** Where a process's standard input is written to: descriptors that the writer owns. */
export type InputEnd =
  /** Write end of a FIFO; undefined when the process has closed its standard input. */
  | { readonly fifo: number | undefined }
  /** A terminal's master. */
  | { readonly terminal: number }

export interface ProcessInputOptions {
  /** Opens the end at the first byte, or when the input ends. */
  readonly open: () => Promise<InputEnd>
  /** Called once the client's input has ended (not when it was destroyed). */
  readonly ended: () => Promise<void>
}

/**
 * Writes to a process's standard input. A process that does not read makes the client wait; one that has closed its input makes
 * what comes vanish, as it does with Docker.
 */
export class ProcessInput extends Writable {
  readonly #options: ProcessInputOptions
  #stream: Promise<Socket | undefined> | undefined

  constructor(options: ProcessInputOptions) {
    super({ highWaterMark: WAITING_BYTES, decodeStrings: true })
    this.#options = options
  }

  override _write(data: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    callbackify(() => this.#send(data))((error) => done(error))
  }

  override _final(done: (error?: Error | null) => void): void {
    callbackify(() => this.#finish())((error) => done(error))
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    callbackify(() => this.#disconnect())(() => done(error))
  }

  async #send(data: Buffer): Promise<void> {
    const stream = await this.#connect()
    if (stream === undefined || stream.destroyed) return
    // Taken, or dropped with the stream.
    await new Promise<void>((resolve) => stream.write(data, () => resolve()))
  }

  async #finish(): Promise<void> {
    await this.#disconnect()
    await this.#options.ended()
  }

  async #disconnect(): Promise<void> {
    const stream = await this.#stream
    stream?.destroy()
  }

  #connect(): Promise<Socket | undefined> {
    this.#stream ??= this.#options.open().then((end) => {
      if ('fifo' in end && end.fifo === undefined) return undefined
      const fd = 'fifo' in end ? (end.fifo as number) : end.terminal
      if (this.destroyed) {
        closeSync(fd)
        return undefined
      }
      // A terminal's master is wrapped by tty only; that it could also be read from does no harm while nobody does.
      const stream = 'fifo' in end ? new Socket({ fd, readable: false, writable: true }) : new ReadStream(fd)
      // EPIPE, EIO: the process has gone or closed its input. What comes is dropped.
      stream.on('error', () => stream.destroy())
      return stream
    })
    return this.#stream
  }
}
