import { createServer, type Server, type Socket } from 'node:net'
import { chmodSync, rmSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { peerCredentials, type PeerCredentials } from '@engine/linux/peer-credentials'
import { BirthError } from './client-types.ts'
import { parseRequest, requestId, type ShimRequest } from './guards.ts'
import type { ProcessKey, ShimEvent } from './messages.ts'
import { encodeFrame, FrameDecoder, type Frame, type Hello, type ReplyError, type ShimMessage } from './protocol.ts'
import { keyText } from './key.ts'

/** Beyond this, output events wait for the socket to drain; they carry no data, so only their keys are kept. */
const BUFFERED_BYTES = 256 * 1024

export interface ServerOptions {
  readonly hello: Hello
  /** @returns what is sent as the reply's result */
  readonly serve: (request: ShimRequest, peer: PeerCredentials) => Promise<unknown>
  /** engined has gone. */
  readonly gone: () => void
  readonly log: (message: string) => void
}

/**
 * The shim's end of the conversation: a unix socket in the file system, 0600, for root only. There is one engined; a newer
 * connection replaces the older. Without a connection events are dropped: what they tell is in the spool, in exit.json and in
 * the answer to `list`.
 */
export class ShimServer {
  readonly #options: ServerOptions
  readonly #server: Server
  readonly #pendingOutput = new Map<string, ProcessKey>()
  #socket: Socket | undefined
  #flushing = false

  constructor(options: ServerOptions) {
    this.#options = options
    this.#server = createServer((socket) => this.#accept(socket))
  }

  /** Listens at `path`. The caller has made sure that no other shim does; what a dead one left is replaced. */
  listen(path: string): Promise<void> {
    if (!path.startsWith('/')) throw new EngineError('invalid-argument', `the socket's path ${JSON.stringify(path)} is not absolute`)
    rmSync(path, { force: true })
    const umask = process.umask(0o177)
    return new Promise((resolve, reject) => {
      try {
        // bind(2) happens in here, synchronously, under the umask.
        this.#server.once('error', reject).listen(path, () => {
          chmodSync(path, 0o600)
          this.#server.on('error', (error) => this.#options.log(`the socket failed: ${error.message}`))
          resolve()
        })
      } finally {
        process.umask(umask)
      }
    })
  }

  /** Whether engined is there. */
  get connected(): boolean {
    return this.#socket !== undefined
  }

  send(event: Exclude<ShimEvent, { event: 'output' }>): void {
    if (this.#socket !== undefined) this.#write(this.#socket, event)
  }

  /** Tells engined that there is more output; many calls within one turn of the loop make one event. */
  output(key: ProcessKey): void {
    if (this.#socket === undefined) return
    this.#pendingOutput.set(keyText(key), key)
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => this.#flush())
  }

  close(): void {
    this.#socket?.destroy()
    this.#server.close()
  }

  #flush(): void {
    this.#flushing = false
    const socket = this.#socket
    if (socket === undefined || socket.writableLength > BUFFERED_BYTES) return
    socket.cork()
    for (const key of this.#pendingOutput.values()) this.#write(socket, { event: 'output', ...key })
    socket.uncork()
    this.#pendingOutput.clear()
  }

  #accept(socket: Socket): void {
    const peer = credentials(socket)
    if (peer === undefined || peer.uid !== 0) {
      this.#options.log(`refused a connection of uid ${peer?.uid ?? 'unknown'}`)
      socket.destroy()
      return
    }
    this.#socket?.destroy()
    this.#socket = socket
    this.#pendingOutput.clear()
    const decoder = new FrameDecoder()
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const frame of decoder.push(bytes)) this.#receive(socket, peer, frame)
      } catch (error) {
        this.#options.log(`closed the connection: ${error instanceof Error ? error.message : String(error)}`)
        socket.destroy()
      }
    })
    socket.on('drain', () => this.#flush())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#options.gone()
    })
    this.#write(socket, this.#options.hello)
  }

  #receive(socket: Socket, peer: PeerCredentials, frame: Frame): void {
    const id = requestId(frame.message)
    const serve = async (): Promise<unknown> => this.#options.serve(parseRequest(frame.message), peer)
    serve().then(
      (result) => this.#write(socket, { id, result: result ?? null }, frame.version),
      (error: unknown) => this.#write(socket, { id, error: replyError(error) }, frame.version),
    )
  }

  #write(socket: Socket, message: ShimMessage, version?: number): void {
    if (!socket.destroyed) socket.write(encodeFrame(message, version))
  }
}

function replyError(error: unknown): ReplyError {
  if (error instanceof BirthError) {
    return { code: error.code, message: error.message, birth: { errno: error.errno, step: error.step, records: error.records } }
  }
  if (error instanceof EngineError) return { code: error.code, message: error.message }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) }
}

function credentials(socket: Socket): PeerCredentials | undefined {
  // Node has no public way to a socket's descriptor; without it nobody is let in.
  const handle = (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? peerCredentials(handle.fd) : undefined
}
