import { connect, type Socket } from 'node:net'
import type { Address } from '@engine/api/client'

/** Milliseconds after which an idle connection is not trusted any more: the daemon may be closing it at this moment. */
const IDLE_LIMIT = 2000

/**
 * Connections to one daemon. They are opened before they are needed, so that the daemon accepts them while the command line is still
 * being read, and one whose answer was complete is used again.
 */
export class Sockets {
  readonly #address: Address
  #idle: Idle[] = []

  constructor(address: Address) {
    this.#address = address
  }

  /** Opens connections ahead, up to `count` idle ones. A failure shows when one is taken. */
  prepare(count: number): void {
    while (this.#idle.length < count) this.#idle.push(this.#open())
  }

  /** A connected socket without listeners. @throws the socket's error when it cannot connect */
  take(): Promise<Socket> {
    const fresh = this.#idle.filter((idle) => idle.usable)
    for (const idle of this.#idle) if (!idle.usable) idle.discard()
    const taken = fresh.find(({ connected }) => connected) ?? fresh[0] ?? this.#open()
    this.#idle = fresh.filter((idle) => idle !== taken)
    return taken.socket()
  }

  /** Gives back a socket whose answer was complete. */
  release(socket: Socket): void {
    if (!socket.destroyed && socket.writable) this.#idle.push(new Idle(socket, true))
  }

  #open(): Idle {
    const address = this.#address
    return new Idle(address.kind === 'unix' ? connect({ path: address.path }) : connect({ host: address.host, port: address.port, noDelay: true }), false)
  }
}

class Idle {
  readonly #socket: Socket
  readonly #since = Date.now()
  #failure: Error | undefined
  #connected: boolean

  constructor(socket: Socket, connected: boolean) {
    this.#socket = socket
    this.#connected = connected
    socket.on('error', this.#onError)
    socket.on('connect', this.#onConnect)
    // Only a socket that is read notices that the other end has closed.
    socket.resume()
  }

  get connected(): boolean {
    return this.#connected
  }

  /** A failure to connect counts as usable: it is what the request must report. */
  get usable(): boolean {
    if (!this.#connected) return true
    return Math.abs(Date.now() - this.#since) < IDLE_LIMIT && !this.#socket.destroyed && this.#socket.writable && !this.#socket.readableEnded
  }

  discard(): void {
    this.#socket.destroy()
  }

  async socket(): Promise<Socket> {
    const socket = this.#socket
    if (!this.#connected && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        const settle = (): void => {
          socket.off('connect', settle).off('close', settle)
          resolve()
        }
        socket.on('connect', settle).on('close', settle)
      })
    }
    socket.off('error', this.#onError).off('connect', this.#onConnect)
    if (this.#failure !== undefined) throw this.#failure
    return socket
  }

  readonly #onConnect = (): void => {
    this.#connected = true
  }

  readonly #onError = (error: Error): void => {
    this.#failure = error
  }
}
