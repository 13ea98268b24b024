import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Attachment } from '@engine/engine'
import { isAtLeast, RequestError } from '@engine/api'
import { takeConnection } from '../attachment.ts'
import type { Call } from '../call.ts'
import { ClientFrames, CloseCode, Opcode, serverFrameHeader, WebSocketError } from './frames.ts'

/** What a server's answer proves that it speaks the protocol with (RFC 6455, 1.3). */
const protocolId = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** Milliseconds that a client may take to answer a close. */
const patience = 5_000

/** @throws RequestError 400 for a request that is no handshake (RFC 6455, 4.2.1) */
export function checkHandshake({ headers, method }: IncomingMessage): string {
  const key = headers['sec-websocket-key'] ?? ''
  if (method !== 'GET' || headers.upgrade?.toLowerCase() !== 'websocket' || !/\bupgrade\b/i.test(headers.connection ?? '')) throw new RequestError('not websocket protocol')
  if (headers['sec-websocket-version'] !== '13') throw new RequestError('missing or bad WebSocket Version')
  if (Buffer.from(key, 'base64').length !== 16) throw new RequestError('challenge/response mismatch')
  return key
}

/**
 * Joins a client's WebSocket and a process until the output has ended or the client has gone: output raw, both streams in one, as
 * Docker sends it here; what the client sends is the process's input, wherever its messages end.
 * @param key from {@link checkHandshake}
 */
export async function serveWebSocket(call: Pick<Call, 'request' | 'version' | 'hijack'>, key: string, attachment: Attachment): Promise<void> {
  const socket = takeConnection(call, attachment)
  const accept = createHash('sha1').update(`${key}${protocolId}`).digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  const peer = new Peer(socket, attachment)
  const receiving = peer.receive()
  // Before 1.28 output was text, whatever its bytes.
  await peer.send(isAtLeast(call.version, '1.28') ? Opcode.binary : Opcode.text)
  peer.close(CloseCode.normal)
  await receiving
}

class Peer {
  readonly #socket: Socket
  readonly #attachment: Attachment
  #closed = false

  constructor(socket: Socket, attachment: Attachment) {
    this.#socket = socket
    this.#attachment = attachment
  }

  async send(opcode: number): Promise<void> {
    for await (const { data } of this.#attachment.output) {
      if (this.#socket.destroyed || this.#closed) return
      if (!this.#write(opcode, data)) await this.#drained(this.#socket)
    }
  }

  /** Ends with the client's close, or its end. */
  async receive(): Promise<void> {
    const frames = new ClientFrames()
    try {
      for await (const chunk of this.#socket as AsyncIterable<Buffer>) {
        for (const { kind, data } of frames.take(chunk)) {
          if (kind === 'data') await this.#feed(data)
          else if (kind === 'ping') this.#write(Opcode.pong, data)
          else if (kind === 'close') return
        }
      }
    } catch (error) {
      if (error instanceof WebSocketError) this.close(CloseCode.protocolError)
    } finally {
      this.close(CloseCode.normal)
      this.#attachment.stdin?.end()
      this.#attachment.detach()
      this.#socket.destroySoon()
    }
  }

  /** Says that no more comes from here; the client answers by closing its side. */
  close(code: number): void {
    if (this.#closed || this.#socket.destroyed) return
    const reason = Buffer.alloc(2)
    reason.writeUInt16BE(code)
    this.#write(Opcode.close, reason)
    this.#closed = true
    const timer = setTimeout(() => this.#socket.destroy(), patience)
    timer.unref()
    this.#socket.once('close', () => clearTimeout(timer))
  }

  #write(opcode: number, data: Buffer): boolean {
    if (this.#closed || this.#socket.destroyed) return true
    this.#socket.cork()
    this.#socket.write(serverFrameHeader(opcode, data.length))
    const more = this.#socket.write(data)
    this.#socket.uncork()
    return more
  }

  async #feed(data: Buffer): Promise<void> {
    const { stdin } = this.#attachment
    if (stdin === undefined || stdin.destroyed || stdin.writableEnded) return
    if (!stdin.write(data)) await this.#drained(stdin)
  }

  async #drained(stream: Socket | NonNullable<Attachment['stdin']>): Promise<void> {
    const gone = new AbortController()
    const onClose = (): void => gone.abort()
    this.#socket.once('close', onClose)
    stream.once('close', onClose)
    try {
      if (!stream.destroyed && !this.#socket.destroyed) await once(stream, 'drain', { signal: gone.signal })
    } catch {
      // The other side has gone; whoever writes next sees it.
    } finally {
      this.#socket.removeListener('close', onClose)
      stream.removeListener('close', onClose)
    }
  }
}
