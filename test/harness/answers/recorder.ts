// Loaded into engined before its own program (`--import`): writes down every answer that it gives to an HTTP request, for
// check.ts to hold against Docker's description of the API. Within engined and not on the wire, so that answers to every client are
// seen (the docker command, Compose, SDKs, curl) and sockets behave as they do. Hijacked connections are no HTTP answers and are not seen.
import { openSync, writeSync } from 'node:fs'
import { ServerResponse } from 'node:http'
import { isMainThread } from 'node:worker_threads'
import type { AnswerPart } from './answer-part.ts'

const file = process.env['ENGINE_TEST_ANSWERS']
/** Larger JSON is told of, not kept. */
const largest = 8 << 20

if (file !== undefined && isMainThread) record(file)

function record(path: string): void {
  const fd = openSync(path, 'a')
  const known = new WeakMap<ServerResponse, { readonly id: string; size: number }>()
  let count = 0

  const note = (response: ServerResponse, chunk: unknown, encoding: unknown, ended: boolean): void => {
    const one = known.get(response) ?? { id: `${process.pid}.${count++}`, size: 0 }
    known.set(response, one)
    const type = String(response.getHeader('content-type') ?? '')
    const data = type.startsWith('application/json') && one.size <= largest ? bytesOf(chunk, encoding) : undefined
    one.size += data?.length ?? 0
    if (data === undefined && !ended) return
    const { method = '', url = '' } = response.req
    // fastify takes the version off, and keeps what came.
    const { originalUrl } = response.req as { originalUrl?: string }
    const part: AnswerPart = { id: one.id, method, url: originalUrl ?? url, status: response.statusCode, type, ended, cut: one.size > largest, text: data?.toString('latin1') ?? '' }
    writeSync(fd, `${JSON.stringify(part)}\n`)
  }

  // oxlint-disable-next-line typescript/unbound-method -- called with the response as `this`
  const { write, end } = ServerResponse.prototype
  ServerResponse.prototype.write = function (this: ServerResponse, ...given: unknown[]) {
    note(this, given[0], given[1], false)
    return Reflect.apply(write, this, given) as boolean
  } as typeof write
  ServerResponse.prototype.end = function (this: ServerResponse, ...given: unknown[]) {
    if (!this.writableEnded) note(this, given[0], given[1], true)
    return Reflect.apply(end, this, given) as ServerResponse
  } as typeof end
}

function bytesOf(chunk: unknown, encoding: unknown): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : Buffer.alloc(0)
}
