import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { endOfArchive, newEntry, padding, writeEntry } from '@engine/image'
import type { TestDaemon } from './daemon.ts'

export interface Answer {
  readonly status: number
  readonly text: string
}

/** Posts an archive and reads the answer to its end, or until a line says enough; then the client goes away. */
export function post(daemon: Pick<TestDaemon, 'socket'>, path: string, body: Buffer, enough: (text: string) => boolean = () => false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath: daemon.socket, method: 'POST', path, agent: false, headers: { 'content-type': 'application/x-tar', 'content-length': body.length } }, (response) => {
      let text = ''
      const end = (): void => resolve({ status: response.statusCode ?? 0, text })
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (!enough(text)) return
        end()
        sent.destroy()
      })
      response.on('end', end)
      response.on('error', () => undefined)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** A build context: files by their paths. */
export function tarOf(files: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(files).flatMap(([path, content]) => [writeEntry(newEntry('file', path, { size: Buffer.byteLength(content) })), Buffer.from(content), padding(Buffer.byteLength(content))])
  return Buffer.concat([...parts, endOfArchive])
}

export interface Built {
  readonly lines: readonly Record<string, unknown>[]
  /** The stream's text with ids replaced. */
  readonly text: string
  /** Id of the image; empty when it failed. */
  readonly id: string
  readonly error: { readonly message: string; readonly code?: number } | undefined
}

/** Builds by `POST /build`. */
export async function build(daemon: Pick<TestDaemon, 'socket'>, dockerfile: string, files: Readonly<Record<string, string>> = {}, query = ''): Promise<Built> {
  const { status, text } = await post(daemon, `/build?${query}`, tarOf({ Dockerfile: dockerfile, ...files }))
  assert.equal(status, 200, text)
  const lines = text.trim().split('\r\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  const aux = lines.findLast((line) => 'aux' in line)?.['aux'] as { ID: string } | undefined
  const shown = lines.map((line) => String(line['stream'] ?? '')).join('').replace(/\b[0-9a-f]{12}\b/g, '<id>')
  return { lines, text: shown, id: aux?.ID ?? '', error: lines.at(-1)?.['errorDetail'] as Built['error'] }
}
