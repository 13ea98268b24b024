import { createServer, connect, type Server, type Socket } from 'node:net'
import { encodeFrame, FrameDecoder, type ShimMessage } from '../../packages/runtime/src/shim/protocol.ts'

/** Says of each message from the shim whether it goes on at once. */
type Gate = (message: ShimMessage) => 'pass' | 'hold' | 'cut'

/** A message that waits, and with it all that comes after it. */
interface Held {
  readonly message: ShimMessage
  readonly release: () => void
  /** Ends the connection; the message never arrives. */
  readonly drop: () => void
}

/** Stands between a client and its shim, so that a test can stop the world between the shim's sending of a message and its arrival. */
export class ShimProxy implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #gate: Gate = () => 'pass'
  #held: Held | undefined
  #onHeld: (() => void) | undefined

  private constructor(server: Server) {
    this.#server = server
  }

  /** @param path where clients connect @param shim where the shim listens */
  static async listen(path: string, shim: string): Promise<ShimProxy> {
    const server = createServer()
    const proxy = new ShimProxy(server)
    server.on('connection', (client) => proxy.#connect(client, shim))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    return proxy
  }

  /** Waits for the next message of which `wanted` is true, and holds it. */
  async hold(wanted: (message: ShimMessage) => boolean): Promise<Held> {
    this.#gate = (message) => (wanted(message) ? 'hold' : 'pass')
    while (this.#held === undefined) await new Promise<void>((resolve) => (this.#onHeld = resolve))
    const held = this.#held
    this.#held = undefined
    return held
  }

  /** Ends the connection on which the next message of which `wanted` is true comes, in place of passing it on. */
  cut(wanted: (message: ShimMessage) => boolean): void {
    this.#gate = (message) => (wanted(message) ? 'cut' : 'pass')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #connect(client: Socket, path: string): void {
    const shim = connect({ path })
    const decoder = new FrameDecoder()
    /** What waits while a message is held. */
    let waiting: ShimMessage[] | undefined
    const send = (message: ShimMessage): void => void client.write(encodeFrame(message))
    const pass = (message: ShimMessage): void => {
      if (waiting !== undefined) return void waiting.push(message)
      const verdict = this.#gate(message)
      if (verdict === 'pass') return send(message)
      this.#gate = () => 'pass'
      if (verdict === 'cut') return void client.destroy()
      waiting = [message]
      const release = (): void => {
        waiting?.forEach(send)
        waiting = undefined
        if (shim.destroyed) client.end()
      }
      this.#held = { message, release, drop: () => void client.destroy() }
      this.#onHeld?.()
    }
    for (const socket of [client, shim]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => this.#sockets.delete(socket))
    }
    client.on('data', (bytes: Buffer) => shim.write(bytes))
    client.on('close', () => shim.destroy())
    shim.on('data', (bytes: Buffer) => decoder.push(bytes).forEach(({ message }) => pass(message as ShimMessage)))
    shim.on('close', () => {
      if (waiting === undefined) client.end()
    })
  }
}
