import type { IncomingMessage } from 'node:http'
import { readJson, RequestError, type Route } from '@engine/api'
import { heldBody } from './hijack.ts'

/** Bytes of a JSON body; the largest that make sense hold a seccomp profile. */
export const JSON_LIMIT = 8 * 1024 * 1024

/**
 * Reads the JSON body of a request, if its route has one.
 * @returns undefined when there is none
 * @throws RequestError 400 with moby's text, 413
 */
export async function readBody(route: Route, request: IncomingMessage): Promise<unknown> {
  if (route.body === undefined) return undefined
  const bytes = heldBody(request) ?? (await readAll(request))
  if (bytes.length === 0) {
    if (route.bodyRequired === true) throw new RequestError('invalid JSON: got EOF while reading request body')
    return undefined
  }
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''
  if (type.toLowerCase() !== 'application/json') {
    throw new RequestError(`unsupported Content-Type header (${type}): must be 'application/json'`)
  }
  return readJson(route.body, bytes.toString('utf8'))
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = new RequestError(`request body too large: JSON bodies may have ${JSON_LIMIT} bytes`, 413)
  if (Number(request.headers['content-length'] ?? 0) > JSON_LIMIT) throw tooLarge
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > JSON_LIMIT) throw tooLarge
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
