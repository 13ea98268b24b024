import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { Engine } from '@engine/engine'
import type { OperationId, Routes } from '@engine/api'
import type * as z from 'zod'
import { AnswerStream } from './answer-stream.ts'
import { takeSocket } from './hijack.ts'
import type { Socket } from 'node:net'

type Query<R> = R extends { readonly query: infer S extends z.ZodType } ? z.infer<S> : undefined
type Body<R> = R extends { readonly body: infer S extends z.ZodType } ? z.infer<S> | (R extends { readonly bodyRequired: true } ? never : undefined) : undefined

/** What the daemon as a whole knows, beside the engine. */
export interface Daemon {
  readonly engine: Engine
  /** The engine's version, as `Server: Docker/<version> (linux)` shows it. */
  readonly serverVersion: string
  /** Aborted when the daemon stops: streams end. */
  readonly closing: AbortSignal
}

/** One request, read and checked. */
export interface Call<Id extends OperationId = OperationId> {
  readonly daemon: Daemon
  readonly engine: Engine
  /** API version that the client speaks. */
  readonly version: string
  /** `{name}` of the path. */
  readonly name: string
  readonly query: Query<Routes[Id]>
  readonly body: Body<Routes[Id]>
  readonly request: IncomingMessage
  /** Aborted when the client goes away or the daemon stops. */
  readonly signal: AbortSignal
  /** Headers that the answer gets beside the usual ones. */
  header(name: string, value: string): void
  /** Begins an answer that is written bit by bit; the handler then returns SENT. */
  stream(headers: Readonly<Record<string, string>>): AnswerStream
  /** Takes the connection over; the handler then returns SENT. */
  hijack(): Socket
}

/** What a handler returns when it has answered by itself. */
export const SENT: unique symbol = Symbol('sent')

/** What a handler returns for an answer that is not JSON. */
export class TextAnswer {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What a handler returns for an answer without a body that has another status than its route's. */
export class StatusAnswer {
  readonly status: number

  constructor(status: number) {
    this.status = status
  }
}

/** Serves one operation: returns the JSON to answer with, undefined for no body, a TextAnswer, a StatusAnswer, or SENT. */
export type Handler<Id extends OperationId> = (call: Call<Id>) => Promise<unknown>

/** The handlers of some operations. */
export type Handlers<Ids extends OperationId> = { readonly [Id in Ids]: Handler<Id> }

/** The parts of a Call that lie on the connection. */
export function connectionOf(reply: FastifyReply, closing: AbortSignal): Pick<Call, 'signal' | 'header' | 'stream' | 'hijack'> {
  const response: ServerResponse = reply.raw
  let signal: AbortSignal | undefined
  return {
    get signal() {
      signal ??= AbortSignal.any([closing, goneSignal(response)])
      return signal
    },
    header: (name, value) => void response.setHeader(name, value),
    stream(headers) {
      reply.hijack()
      return new AnswerStream(response, headers)
    },
    hijack() {
      reply.hijack()
      return takeSocket(response)
    },
  }
}

/** Aborted when the client closes its end before the answer is out. A client that half-closes has gone too, as for Go's server. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  const { socket } = response
  const abort = (): void => gone.abort()
  if (socket === null || socket.destroyed || socket.readableEnded) {
    gone.abort()
    return gone.signal
  }
  socket.once('end', abort)
  response.once('close', () => {
    socket.removeListener('end', abort)
    if (!response.writableFinished) abort()
  })
  return gone.signal
}
