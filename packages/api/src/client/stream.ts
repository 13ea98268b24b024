import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { answeredError, connectionError } from './api-error.ts'
import { readText, send, type RequestOptions, type Target } from './request.ts'

/** An answer whose body comes bit by bit. */
export interface StreamResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The raw body (a tar, or frames for `frames()` of raw-stream). */
  readonly body: IncomingMessage
  /** The body as JSON values (events, pull, build progress). Read either this or `body`. */
  lines<T = unknown>(): AsyncIterable<T>
}

/**
 * Sends a request and resolves with the headers; the body is read by the caller, at its own pace.
 * @throws ApiError when the status is 400 or more, or there was no answer
 */
export async function openStream(target: Target, method: string, path: string, options: RequestOptions): Promise<StreamResponse> {
  const body = await send(target, method, path, options)
  const status = body.statusCode ?? 0
  if (status >= 400) throw answeredError(status, await readText(body))
  return { status, headers: body.headers, body, lines: <T>() => jsonLines<T>(target, body) }
}

async function* jsonLines<T>(target: Target, body: Readable): AsyncIterable<T> {
  try {
    yield* splitJson<T>(body)
  } catch (cause) {
    if (cause instanceof SyntaxError) throw cause
    throw connectionError(target.host, cause as Error)
  }
}

/** Splits bytes into JSON values, one per line (`\n` or `\r\n`). An unfinished last line is parsed too. */
export async function* splitJson<T>(body: AsyncIterable<Buffer>): AsyncIterable<T> {
  const decoder = new TextDecoder()
  // Kept as pieces: a line may be megabytes long, and joining at every chunk would be quadratic.
  let pieces: string[] = []
  for await (const chunk of body) {
    const lines = decoder.decode(chunk, { stream: true }).split('\n')
    const last = lines.pop() ?? ''
    for (const line of lines) {
      const text = pieces.length === 0 ? line : [...pieces, line].join('')
      pieces = []
      if (text.trim() !== '') yield JSON.parse(text) as T
    }
    if (last !== '') pieces.push(last)
  }
  const rest = pieces.join('') + decoder.decode()
  if (rest.trim() !== '') yield JSON.parse(rest) as T
}
