import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http'
import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { RequestError } from '@engine/api'
import { ClientGone } from './answer-stream.ts'
import { chunkedBodyEnd } from './hijack-body.ts'

/**
 * Connections that become pipes to a process. Docker has two wire forms: `101 UPGRADED` for clients that send `Upgrade: tcp`, and for
 * those that do not (docker-py, dockerode) a plain `200` after which raw bytes go both ways. One way serves both: such a request is
 * marked as an upgrade before Node's parser goes on to its body, so that Node lets go of the socket and emits 'upgrade' with all the
 * bytes that came after the headers. The body is read from these by hand, and the request goes into the router like every other; the
 * route then either takes the socket (`takeSocket`) or answers as usual, upon which the socket is given back to the server.
 *
 * This rests on three internals of Node (`socket.parser.onIncoming`, its return value 2, `socket._httpMessage`); `assertHijack` tries
 * them out when the daemon starts.
 */

/** Requests that may take their connection over. Everything else is plain HTTP, whatever its Upgrade header says. */
const takesOver = /^POST (?:\/v[\d.]+)?\/+(?:containers\/[^?]+\/attach|exec\/[^?]+\/start)(?:\?|$)|^GET (?:\/v[\d.]+)?\/+containers\/[^?]+\/attach\/ws(?:\?|$)/

/** Bytes that a request's JSON body may have here. */
const BODY_LIMIT = 1024 * 1024

/** What has been read of such a request. */
interface Held {
  readonly body: Buffer
  readonly error?: RequestError
}

interface HttpSocket extends Socket {
  parser?: { onIncoming?: (request: IncomingMessage & { upgrade: boolean }, keepAlive: boolean) => number } | null
  _httpMessage?: ServerResponse | null
}

type Routing = (request: IncomingMessage, response: ServerResponse) => void

const held = new WeakMap<IncomingMessage, Held>()
const taken = new WeakSet<ServerResponse>()

/** Sockets that are pipes at the moment. */
export const hijackedSockets = new Set<Socket>()

/**
 * Makes `server` serve both forms. Must be called before it listens.
 * @param event 'connection', or 'secureConnection' of an HTTPS server
 */
export function serveHijacks(server: Server, routing: Routing, event: 'connection' | 'secureConnection' = 'connection'): void {
  server.on(event, (socket: HttpSocket) => {
    const parser = socket.parser
    const onIncoming = parser?.onIncoming
    if (parser === null || parser === undefined || onIncoming === undefined) {
      socket.destroy()
      throw new Error('this version of Node has no socket.parser.onIncoming: connections cannot be hijacked')
    }
    parser.onIncoming = (request, keepAlive) => {
      if (!takesOver.test(`${request.method} ${request.url}`)) return onIncoming(request, keepAlive)
      request.upgrade = true
      // llhttp: the headers are followed by neither a body nor another request.
      return 2
    }
  })
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    receive(server, routing, event, request, socket, head).catch(() => socket.destroy())
  })
}

async function receive(server: Server, routing: Routing, event: string, request: IncomingMessage, socket: HttpSocket, head: Buffer): Promise<void> {
  // Node has taken its own listeners away; an unhandled 'error' would end the process.
  socket.on('error', ignore)
  if (/^100-continue$/i.test(request.headers.expect ?? '')) socket.write('HTTP/1.1 100 Continue\r\n\r\n')
  const { rest, ...what } = await readBody(request, socket, head)
  held.set(request, what)
  if (rest.length > 0) socket.unshift(rest)
  // Pipelined behind a request whose answer is not out yet.
  while (socket._httpMessage) await new Promise((resolve) => socket._httpMessage?.once('close', resolve))
  if (socket.destroyed) return

  const response = new ServerResponse(request)
  const keepAlive = what.error === undefined && request.httpVersion === '1.1' && !/\bclose\b/i.test(request.headers.connection ?? '')
  response.shouldKeepAlive = keepAlive
  response.assignSocket(socket)
  response.on('finish', () => {
    if (taken.has(response)) return
    response.detachSocket(socket)
    socket.removeListener('error', ignore)
    if (!keepAlive) return void socket.end()
    server.emit(event, socket)
    socket.resume()
  })
  routing(request, response)
}

function ignore(): void {
  // The socket is destroyed by Node itself; whoever uses it sees 'close'.
}

/** Reads a request's body from what came with the headers and, if need be, from the socket. `rest` is what follows the body. */
async function readBody(request: IncomingMessage, socket: Socket, head: Buffer): Promise<Held & { readonly rest: Buffer }> {
  const chunked = /\bchunked\b/i.test(request.headers['transfer-encoding'] ?? '')
  const length = Number(request.headers['content-length'] ?? 0)
  const tooLarge = { body: Buffer.alloc(0), rest: Buffer.alloc(0), error: new RequestError('request body too large', 413) }
  if (length > BODY_LIMIT) return tooLarge
  let bytes = head
  for (;;) {
    const end = chunked ? chunkedBodyEnd(bytes) : bytes.length >= length ? { body: bytes.subarray(0, length), at: length } : undefined
    if (end !== undefined) return { body: end.body, rest: bytes.subarray(end.at) }
    if (bytes.length > 2 * BODY_LIMIT) return tooLarge
    const more = await nextChunk(socket)
    if (more === undefined) throw new Error('the connection ended within a request body')
    bytes = Buffer.concat([bytes, more])
  }
}

function nextChunk(socket: Socket): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const done = (chunk: Buffer | undefined): void => {
      socket.pause()
      socket.removeListener('data', onData)
      socket.removeListener('end', onEnd)
      socket.removeListener('close', onEnd)
      resolve(chunk)
    }
    const onData = (chunk: Buffer): void => done(chunk)
    const onEnd = (): void => done(undefined)
    socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('close', onEnd)
    socket.resume()
  })
}

/**
 * The body of a request that came by way of `serveHijacks`; undefined for others, whose body is the request stream's.
 * @throws RequestError 413
 */
export function heldBody(request: IncomingMessage): Buffer | undefined {
  const what = held.get(request)
  if (what?.error !== undefined) throw what.error
  return what?.body
}

/**
 * Takes the connection of a request for good: raw bytes both ways from here on, beginning with what followed the request.
 * The socket is paused, and is half-open: 'end' says that the client sends no more, `end()` that we do not.
 * @throws ClientGone
 */
export function takeSocket(response: ServerResponse): Socket {
  const { socket } = response
  if (socket === null || socket.destroyed) throw new ClientGone()
  taken.add(response)
  response.detachSocket(socket)
  hijackedSockets.add(socket)
  socket.once('close', () => hijackedSockets.delete(socket))
  return socket
}

/**
 * Sends one request of the old form through a server that listens nowhere.
 * @throws Error when this version of Node does not do what this file needs
 */
export function assertHijack(): Promise<void> {
  const server = createServer()
  const written: Buffer[] = []
  const wire = new Duplex({ read: () => undefined, write: (chunk: Buffer, _encoding, done) => (written.push(chunk), done()) })
  return new Promise((resolve, reject) => {
    const failed = (): void => reject(new Error(`Node ${process.version} does not hand over connections as engined needs it: a newer or older Node is needed`))
    const patience = setTimeout(failed, 5000)
    serveHijacks(server, (request, response) => {
      clearTimeout(patience)
      const socket = takeSocket(response)
      const rest: unknown = socket.read()
      if (heldBody(request)?.toString() === '{}' && Buffer.isBuffer(rest) && rest.toString() === 'rest') resolve()
      else failed()
      wire.destroy()
    })
    server.emit('connection', wire)
    wire.push('POST /exec/x/start HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}rest')
  })
}
