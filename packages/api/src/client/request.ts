import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, RequestOptions as HttpOptions } from 'node:http'
import type { Readable } from 'node:stream'
import { answeredError, connectionError } from './api-error.ts'
import type { Address } from './dial.ts'

// require-style on purpose: an ESM import of node:http also evaluates its lazy WebSocket getter, which costs a command 20 ms.
const http = process.getBuiltinModule('node:http')

/** `undefined` leaves a parameter out; a list repeats it; anything that is an object is sent as JSON (filters). */
export type QueryValue = string | number | boolean | bigint | undefined | readonly string[] | Readonly<Record<string, unknown>>

export interface RequestOptions {
  readonly query?: Readonly<Record<string, QueryValue>> | undefined
  /** A Readable or Buffer is sent as it is (a tar unless `content-type` says otherwise), everything else as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Ends the request; the daemon sees the connection close. */
  readonly signal?: AbortSignal | undefined
}

/** Which daemon, and which API version goes before each path. */
export interface Target {
  readonly host: string
  readonly address: Address
  /** `/v1.51` */
  readonly prefix: string
}

export interface Response<T> {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: T
}

/**
 * Sends a request and waits for the answer's headers.
 * @returns the answer, its body unread, whatever its status
 * @throws ApiError with status 0 when the daemon is not reached or the connection breaks before the headers
 */
export function send(target: Target, method: string, path: string, options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = open(target, method, path, options)
    request.on('error', (error) => reject(connectionError(target.host, error)))
    request.on('response', resolve)
    write(request, options.body, (error) => reject(connectionError(target.host, error)))
  })
}

/** Makes the request object: address, path with query, headers. The caller writes the body. */
export function open(target: Target, method: string, path: string, options: RequestOptions, more: Readonly<Record<string, string>> = {}): ClientRequest {
  const headers: Record<string, string> = { host: 'engine', ...more }
  if (options.body !== undefined) headers['content-type'] = isRaw(options.body) ? 'application/x-tar' : 'application/json'
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = value
  const http1: HttpOptions = { method, path: target.prefix + path + queryString(options.query), headers, agent: false }
  if (options.signal !== undefined) http1.signal = options.signal
  const { address } = target
  return http.request(address.kind === 'unix' ? { ...http1, socketPath: address.path } : { ...http1, host: address.host, port: address.port })
}

/** Writes the body and ends the request. A stream that fails is reported by `onError`; the request is then destroyed. */
export function write(request: ClientRequest, body: unknown, onError: (error: Error) => void): void {
  if (body === undefined) {
    request.end()
  } else if (Buffer.isBuffer(body)) {
    request.end(body)
  } else if (isStream(body)) {
    body.on('error', (error) => {
      onError(error)
      request.destroy()
    })
    // The daemon may answer (an error) and close before it has read everything: then the rest of the stream is not wanted.
    request.on('close', () => body.destroy())
    body.pipe(request)
  } else {
    request.end(JSON.stringify(body))
  }
}

/** `?a=1&b=2`, or nothing. */
export function queryString(query: Readonly<Record<string, QueryValue>> = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    if (Array.isArray(value)) for (const item of value) parameters.append(name, String(item))
    else parameters.append(name, typeof value === 'object' ? JSON.stringify(value) : String(value))
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

/** Reads a whole body as text. */
export async function readText(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Reads the whole answer: JSON bodies parsed, others as text, none as undefined.
 * @throws ApiError when the status is 400 or more, or the connection breaks
 */
export async function readAnswer(target: Target, message: IncomingMessage): Promise<Response<unknown>> {
  const status = message.statusCode ?? 0
  let text: string
  try {
    text = await readText(message)
  } catch (cause) {
    throw connectionError(target.host, cause as Error)
  }
  if (status >= 400) throw answeredError(status, text)
  const json = message.headers['content-type']?.startsWith('application/json') === true && text !== ''
  return { status, headers: message.headers, body: json ? JSON.parse(text) : text === '' ? undefined : text }
}

function isStream(body: unknown): body is Readable {
  return typeof body === 'object' && body !== null && 'pipe' in body && typeof body.pipe === 'function'
}

function isRaw(body: unknown): boolean {
  return Buffer.isBuffer(body) || isStream(body)
}
