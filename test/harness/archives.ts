import { createHash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { endOfArchive, newEntry, padding, writeEntry, type TarEntry } from '@engine/image'

/** One request whose body and answer are bytes. */
export function bytesRequest(socketPath: string, method: string, path: string, body?: Buffer): Promise<{ readonly status: number; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath, method, path, agent: false, headers: body === undefined ? {} : { 'content-type': 'application/x-tar', 'content-length': body.length } }, (response) => {
      buffer(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

export interface Loaded {
  readonly status: number
  /** What it printed, or the error. */
  readonly said: string
}

/** POST /images/load */
export async function load(socket: string, archive: Buffer, query = ''): Promise<Loaded> {
  const { status, body } = await bytesRequest(socket, 'POST', `/images/load${query}`, archive)
  const text = body.toString()
  if (status !== 200) return { status, said: (JSON.parse(text) as { message: string }).message }
  const lines = text.split('\r\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { stream?: string; error?: string })
  return { status, said: lines.map(({ stream, error }) => stream ?? error ?? '').join('') }
}

/** A tar of entries as they are given. */
export function tarOf(...entries: readonly (readonly [entry: TarEntry, content?: Buffer])[]): Buffer {
  return Buffer.concat([...entries.flatMap(([entry, content = Buffer.alloc(0)]) => [writeEntry(entry), content, padding(content.length)]), endOfArchive])
}

export function file(path: string, content: Buffer | string | object): readonly [TarEntry, Buffer] {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content))
  return [newEntry('file', path, { size: bytes.length }), bytes]
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** A configuration for layers of these uncompressed tars. */
export function configFor(tars: readonly Buffer[], more: object = {}): Buffer {
  return Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Cmd: ['sh'] }, rootfs: { type: 'layers', diff_ids: tars.map((tar) => `sha256:${sha256(tar)}`) }, ...more }))
}

/** What `docker save` of before 25 wrote, with these layers. */
export function dockerArchive(tars: readonly Buffer[], names: readonly string[] | null, more: { readonly config?: Buffer; readonly layers?: readonly string[] } = {}): Buffer {
  const config = more.config ?? configFor(tars)
  const name = `${sha256(config)}.json`
  const layers = more.layers ?? tars.map((tar, at) => `${at}${sha256(tar).slice(1)}/layer.tar`)
  return tarOf(...tars.map((tar, at) => file(layers[at] ?? 'none', tar)), file(name, config), file('manifest.json', [{ Config: name, RepoTags: names, Layers: layers }]))
}

/** The tar of a sparse file that is nothing but a hole, as GNU tar writes it (PAX 1.0). */
export function sparseTar(path: string, size: number): Buffer {
  const records = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': path, 'GNU.sparse.realsize': String(size) }
  const text = Object.entries(records).map(([key, value]) => paxRecord(key, value)).join('')
  const header = writeEntry(newEntry('file', 'pax', { size: text.length }))
  header[156] = 'x'.charCodeAt(0)
  header.fill(' ', 148, 156)
  header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148)
  const map = Buffer.concat([Buffer.from('0\n'), Buffer.alloc(510)])
  return Buffer.concat([header, Buffer.from(text), padding(text.length), writeEntry(newEntry('file', 'GNUSparseFile.0/x', { size: map.length })), map, endOfArchive])
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}
