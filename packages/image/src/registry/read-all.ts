import type { Readable } from 'node:stream'
import { EngineError } from '@engine/linux'
import { connectionError, shown } from './transport.ts'

/**
 * Reads a short answer.
 * @param limit most bytes
 * @throws EngineError internal when there are more; ConnectionError when it breaks off
 */
export async function readAll(body: Readable, limit: number, signal: AbortSignal | undefined, url: URL): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > limit) throw new EngineError('invalid-argument', `the answer of ${shown(url)} is larger than ${limit} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw connectionError(error, signal, `Get ${JSON.stringify(shown(url))}: `, url)
  } finally {
    body.destroy()
  }
  return Buffer.concat(chunks)
}
