import { journalMessage } from './journal-message.ts'
import type { Forward } from './forward.ts'
import { openSender, type Sender } from './senders.ts'
import { syslogMessage } from './syslog-message.ts'

/** Bytes that may wait for a slow receiver before the log waits for it, and with the log in the end the container. */
const blockingBytes = 1 << 20
/** Milliseconds that the end of a container's log waits for a receiver. */
const closingTime = 2000
/** Milliseconds before a lost receiver is tried again. */
const retryTime = 1000

export interface ForwarderOptions {
  /** Bytes that may wait in non-blocking mode; what comes on top is dropped, as with Docker. Without it, the log waits. */
  readonly dropAbove?: number | undefined
  /** There is room again. */
  readonly onRoom: () => void
  readonly onTrouble: (message: string) => void
}

/** Sends a container's lines away, in their order, as fast as the receiver takes them. What a dead receiver does not take is lost, and told. */
export class Forwarder {
  readonly #forward: Forward
  readonly #options: ForwarderOptions
  readonly #queue: Buffer[] = []
  #bytes = 0
  #working: Promise<void> | undefined
  #sender: Sender | undefined
  #closed = false

  constructor(forward: Forward, options: ForwarderOptions) {
    this.#forward = forward
    this.#options = options
  }

  /** Whether the log is to wait before it gives more. */
  get isFull(): boolean {
    return this.#options.dropAbove === undefined && this.#bytes >= blockingBytes
  }

  /** Adds whole lines, each with its line feed. */
  lines(text: Buffer, stream: 'stdout' | 'stderr', time: bigint): void {
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf(0x0a, at)
      this.#add(text.subarray(at, end), stream, time, false)
      at = end + 1
    }
  }

  /** Adds a piece of a line that goes on. */
  partial(text: Buffer, stream: 'stdout' | 'stderr', time: bigint): void {
    this.#add(text, stream, time, true)
  }

  /** Waits a while until everything is sent. */
  async close(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, closingTime).unref())
    await Promise.race([this.#working ?? Promise.resolve(), late])
    this.#closed = true
    this.#queue.length = 0
    await this.#sender?.close()
  }

  #add(line: Buffer, stream: 'stdout' | 'stderr', time: bigint, partial: boolean): void {
    const { dropAbove } = this.#options
    if (dropAbove !== undefined && this.#queue.length > 0 && this.#bytes + line.length > dropAbove) return
    const forward = this.#forward
    const message = forward.kind === 'syslog'
      ? syslogMessage(line, stream, time, forward.settings, forward)
      : journalMessage(line, stream, time, forward.fields, partial)
    this.#queue.push(message)
    this.#bytes += message.length
    this.#working ??= this.#work().finally(() => (this.#working = undefined))
  }

  async #work(): Promise<void> {
    // Not before the turn is over: a burst of lines goes out together.
    await Promise.resolve()
    while (this.#queue.length > 0 && !this.#closed) {
      const messages = this.#queue.splice(0)
      try {
        this.#sender ??= await openSender(this.#forward)
        await this.#sender.send(messages)
      } catch (error) {
        this.#options.onTrouble(`${messages.length} log messages are lost: ${error instanceof Error ? error.message : String(error)}`)
        await this.#sender?.close()
        this.#sender = undefined
        await new Promise<void>((resolve) => setTimeout(resolve, retryTime).unref())
      }
      this.#bytes -= messages.reduce((sum, { length }) => sum + length, 0)
      this.#options.onRoom()
    }
  }
}
