import { connect, type Socket } from 'node:net'
import { EngineError } from '@engine/linux'
import { BirthError } from './client-types.ts'
import type { ShimEvent } from './messages.ts'
import { DescriptorInbox } from './shared-descriptors.ts'
import { encodeFrame, FrameDecoder, type Hello, type ReplyMessage, type ShimMessage } from './protocol.ts'

type Waiting = Map<number, { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void }>

/** One connection of engined's to a shim: requests and their replies, events, and its end. */
export class ShimConnection {
  readonly hello: Hello['hello']
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>
  /** Where the shim passes descriptors before it answers. Closed with the connection. */
  readonly inbox: DescriptorInbox
  readonly #socket: Socket
  readonly #waiting: Waiting
  #lastId = 0

  private constructor(socket: Socket, hello: Hello['hello'], closed: Promise<void>, waiting: Waiting, inbox: DescriptorInbox) {
    this.#socket = socket
    this.hello = hello
    this.closed = closed
    this.#waiting = waiting
    this.inbox = inbox
  }

  /** @throws Node's error ENOENT or ECONNREFUSED when no shim listens; EngineError when it is none */
  static open(path: string, onEvent: (event: ShimEvent) => void): Promise<ShimConnection> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = new Map()
      const decoder = new FrameDecoder()
      let inbox: DescriptorInbox | undefined
      const socket = connect({ path })
      let greeted = false
      const closed = new Promise<void>((ended) => {
        socket.once('close', () => {
          ended()
          reject(new EngineError('unavailable', 'the shim closed the connection'))
          for (const { reject: fail } of waiting.values()) fail(new EngineError('unavailable', 'the connection to the shim was lost'))
          waiting.clear()
          // Who has been answered takes what came with the answer before anything else happens.
          inbox?.close()
        })
      })
      socket.once('error', reject)
      socket.on('error', () => socket.destroy())
      socket.on('data', (bytes: Buffer) => {
        try {
          for (const frame of decoder.push(bytes)) {
            const message = frame.message as ShimMessage
            if ('hello' in message) {
              greeted = true
              inbox = new DescriptorInbox()
              resolve(new ShimConnection(socket, message.hello, closed, waiting, inbox))
            } else if (!greeted) {
              throw new EngineError('internal', `what listens at ${path} is no shim`)
            } else if ('event' in message) {
              onEvent(message)
            } else {
              settle(waiting, message)
            }
          }
        } catch (error) {
          reject(error instanceof Error ? error : new EngineError('internal', String(error)))
          socket.destroy()
        }
      })
    })
  }

  /** Sends a request. @returns the reply's result, whose form the shim vouches for */
  request<T>(method: string, params?: unknown): Promise<T> {
    if (this.#socket.destroyed) return Promise.reject(new EngineError('unavailable', 'the connection to the shim was lost'))
    this.#lastId += 1
    const id = this.#lastId
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (result) => resolve(result as T), reject })
      this.#socket.write(encodeFrame({ id, method, params }))
    })
  }

  /** Whether it is of no more use. */
  get ended(): boolean {
    return this.#socket.destroyed
  }

  close(): void {
    this.#socket.destroy()
  }
}

function settle(waiting: Waiting, reply: ReplyMessage): void {
  const waiter = waiting.get(reply.id)
  waiting.delete(reply.id)
  if (reply.error === undefined) waiter?.resolve(reply.result)
  else waiter?.reject(reply.error.birth === undefined ? new EngineError(reply.error.code, reply.error.message) : new BirthError(reply.error.message, reply.error.birth))
}
