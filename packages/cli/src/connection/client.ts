import { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import { ApiError, API_VERSION, parseHost } from '@engine/api/client'
import { Body } from './body.ts'
import { BodyError, exchange, type RequestBody } from './exchange.ts'
import { Sockets } from './sockets.ts'
import { bodyDecoder, queryString, type AnswerHead, type QueryValue } from './wire.ts'

export { ApiError, API_VERSION }

export interface RequestOptions {
  readonly query?: Readonly<Record<string, QueryValue>>
  /** A Buffer or a stream of Buffers is sent as it is (a tar unless `content-type` says otherwise), everything else as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Response<T> {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: T
}

/** An answer whose body comes bit by bit. */
export interface StreamResponse extends Response<Body> {
  /** The body as JSON values, one per line. */
  lines<T>(): AsyncIterable<T>
}

/** A connection that has become a pipe to a process. */
export interface Hijacked {
  /** Raw bytes both ways, paused. */
  readonly socket: Socket
  /** Output that came together with the head. */
  readonly head: Buffer
}

/**
 * A client of one daemon, as thin as the command line needs it: node:http alone would take 8 ms of processor time for the first request,
 * a third of what bare Node takes to start. Every failure is an ApiError.
 */
export interface Client {
  readonly host: string
  /** Opens connections before they are needed. */
  prepare(count: number): void
  /** Sends and reads the whole answer: JSON parsed, other text as a string, undefined for an empty body. */
  request<T = unknown>(method: string, path: string, options?: RequestOptions): Promise<Response<T>>
  /** Sends and resolves with the head; the body is read by the caller, at its own pace. */
  stream(method: string, path: string, options?: RequestOptions): Promise<StreamResponse>
  /** Sends with `Upgrade: tcp` and takes the connection over. */
  hijack(method: string, path: string, options?: RequestOptions): Promise<Hijacked>
}

/** A path with names in it as they were given: what HTTP does not allow, and what would begin a query, is encoded. */
function encodePath(path: string): string {
  return encodeURI(path.toWellFormed()).replaceAll('?', '%3F').replaceAll('#', '%23')
}

/** @throws ApiError when `host` cannot be parsed */
export function connect(host: string): Client {
  const sockets = new Sockets(parseHost(host))
  const send = async (method: string, path: string, options: RequestOptions, more: Readonly<Record<string, string>> = {}): Promise<Sent> => {
    try {
      const [body, type] = encodeBody(options.body)
      const socket = await sockets.take()
      const headers = { host: 'engine', ...(type === undefined ? {} : { 'content-type': type }), ...options.headers, ...more }
      return { socket, ...await exchange(socket, method, `/v${API_VERSION}${encodePath(path)}${queryString(options.query)}`, headers, body) }
    } catch (error) {
      throw connectionError(host, error as NodeJS.ErrnoException)
    }
  }
  const stream = async (method: string, path: string, options: RequestOptions): Promise<StreamResponse> => {
    const { socket, head, rest } = await send(method, path, options)
    const reusable = head.headers['connection']?.toLowerCase() !== 'close'
    const body = new Body(socket, bodyDecoder(head, method), rest, (whole) => {
      if (whole && reusable) sockets.release(socket)
      else socket.destroy()
    })
    if (head.status >= 400) throw answeredError(head.status, await readText(host, body))
    return { status: head.status, headers: head.headers, body, lines: <T>() => jsonLines<T>(host, body) }
  }
  return {
    host,
    prepare: (count) => sockets.prepare(count),
    stream: (method, path, options = {}) => stream(method, path, options),
    async request<T>(method: string, path: string, options: RequestOptions = {}) {
      const answer = await stream(method, path, options)
      const text = await readText(host, answer.body)
      const json = answer.headers['content-type']?.startsWith('application/json') === true && text !== ''
      return { status: answer.status, headers: answer.headers, body: (json ? JSON.parse(text) : text === '' ? undefined : text) as T }
    },
    async hijack(method, path, options = {}) {
      const { socket, head, rest } = await send(method, path, options, { connection: 'Upgrade', upgrade: 'tcp' })
      if (head.status === 101) return { socket, head: rest }
      const text = await readText(host, new Body(socket, bodyDecoder(head, method), rest, () => socket.destroy()))
      throw head.status >= 400 ? answeredError(head.status, text) : new ApiError(head.status, `the daemon at ${host} did not upgrade the connection: status ${head.status}`)
    },
  }
}

interface Sent {
  readonly socket: Socket
  readonly head: AnswerHead
  readonly rest: Buffer
}

function encodeBody(body: unknown): [RequestBody, string | undefined] {
  if (body === undefined) return [undefined, undefined]
  if (Buffer.isBuffer(body)) return [body, 'application/x-tar']
  if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body) return [body as AsyncIterable<Buffer>, 'application/x-tar']
  return [Buffer.from(JSON.stringify(body)), 'application/json']
}

async function readText(host: string, body: Body): Promise<string> {
  try {
    return await body.text()
  } catch (error) {
    throw connectionError(host, error as NodeJS.ErrnoException)
  }
}

async function* jsonLines<T>(host: string, body: Body): AsyncGenerator<T> {
  for await (const line of textLines(host, body)) yield JSON.parse(line) as T
}

/** A body's lines that are not empty. @throws ApiError when the connection breaks */
export async function* textLines(host: string, body: Body): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.trim() !== '') yield line.trim()
    }
  } catch (error) {
    throw connectionError(host, error as NodeJS.ErrnoException)
  }
  if (rest.trim() !== '') yield rest.trim()
}

function answeredError(status: number, body: string): ApiError {
  try {
    const { message, hint } = JSON.parse(body) as { message?: unknown; hint?: unknown }
    if (typeof message === 'string') return new ApiError(status, message, { hint: typeof hint === 'string' ? hint : undefined })
  } catch {
    // Not JSON: shown as it is.
  }
  return new ApiError(status, body.trim() === '' ? `the daemon answered with status ${status} and no message` : body.trim())
}

function connectionError(host: string, cause: NodeJS.ErrnoException): Error {
  const { code } = cause
  if (cause instanceof ApiError) return cause
  if (cause instanceof BodyError) return cause.cause as Error
  switch (code) {
    case 'ENOENT': case 'ECONNREFUSED':
      return new ApiError(0, `cannot connect to the engine daemon at ${host}: is engined running?`, { code, cause, hint: `start it with: ${existsSync('/run/systemd/system') ? 'systemctl start engine' : 'engined (as root)'}` })
    case 'EACCES':
      return new ApiError(0, `permission denied while trying to connect to the engine daemon socket at ${host}`, {
        code, cause, hint: 'run the command as root, or add yourself to the group of the socket',
      })
    default: return new ApiError(0, `error during connect to ${host}: ${cause.message}`, { code, cause })
  }
}
