import { Readable } from 'node:stream'
import { EngineError } from '@engine/linux'
import type { Digest } from '../digest.ts'
import type { RegistryClient } from './client.ts'
import type { Manifest, Index } from './manifest.ts'
import { addressFrom } from './reach.ts'
import { mayPass, retrying } from './retry.ts'
import type { Answer } from './transport.ts'

export interface UploadOptions {
  readonly attempts: number
  readonly signal?: AbortSignal | undefined
  /** Bytes that the registry has, or that are on their way to it. */
  readonly onProgress?: (bytes: number) => void
  readonly onWait?: (seconds: number) => void
}

/** A blob to be sent, any part of which can be read. */
export interface BlobSource {
  readonly digest: Digest
  readonly size: number
  /** @param end the byte after the last one */
  read(start: number, end: number): Readable
}

/** Blobs up to this size are sent in one request. */
const small = 1 << 20
/**
 * Bytes of a piece, once a connection has broken: some registries keep of a request that broke off nothing. Before that a blob is one
 * piece, which every registry takes and which waits for no answers in between.
 */
const pieceSize = 4 << 20

/** Whether the repository has a blob. */
export async function hasBlob(client: RegistryClient, digest: Digest, signal?: AbortSignal): Promise<boolean> {
  try {
    const answer = await client.asking(() => client.send('HEAD', client.url(`blobs/${digest}`), { signal }), signal)
    answer.discard()
    return true
  } catch (error) {
    if (error instanceof EngineError && error.code === 'not-found') return false
    throw error
  }
}

/** Begins an upload. @returns where to send the bytes; undefined when the registry mounted the blob from another repository */
async function begin(client: RegistryClient, mount: { readonly digest: Digest; readonly from: string } | undefined, signal: AbortSignal | undefined): Promise<URL | undefined> {
  const url = client.url('blobs/uploads/')
  if (mount !== undefined) {
    url.searchParams.set('mount', mount.digest)
    url.searchParams.set('from', mount.from)
  }
  const answer = await client.send('POST', url, { headers: { 'content-length': '0' }, signal })
  answer.discard()
  return answer.status === 201 ? undefined : locationOf(client, answer)
}

/**
 * Tries to take a blob from another repository of the same registry.
 * @returns whether it did; otherwise nothing remains of the attempt
 */
export async function mountBlob(client: RegistryClient, digest: Digest, from: string, signal?: AbortSignal): Promise<boolean> {
  client.mountFrom(from)
  let session: URL | undefined
  try {
    session = await begin(client, { digest, from }, signal)
  } catch (error) {
    // No right to read that repository, or a registry that knows no mounts: the blob is sent then.
    if (error instanceof EngineError && error.code !== 'cancelled' && !mayPass(error)) return false
    throw error
  }
  if (session === undefined) return true
  const ended = await client.send('DELETE', session, { accept: [404, 405], signal }).catch(() => undefined)
  ended?.discard()
  return false
}

/**
 * Sends a blob: small ones at once, large ones in a session that goes on where the registry says it broke off.
 * @throws RegistryError; ConnectionError after so many attempts that brought nothing
 */
export async function uploadBlob(client: RegistryClient, blob: BlobSource, options: UploadOptions): Promise<void> {
  const upload: Upload = { session: undefined, sent: 0, piece: Number.POSITIVE_INFINITY }
  await retrying(async (gotFurther) => {
    if (upload.session !== undefined) await resume(client, upload, upload.session, blob, options.signal)
    upload.session ??= await begin(client, undefined, options.signal)
    // Answered as a mount that nobody asked for: it has the blob.
    if (upload.session === undefined) return
    if (blob.size <= small && upload.sent === 0) return await finish(client, upload.session, blob, await toBuffer(blob.read(0, blob.size)), options)
    const begun = upload.sent
    try {
      while (upload.sent < blob.size) upload.session = await append(client, upload, upload.session, blob, options)
    } catch (error) {
      upload.piece = pieceSize
      throw error
    } finally {
      if (upload.sent > begun) gotFurther()
    }
    await finish(client, upload.session, blob, undefined, options)
  }, options)
}

interface Upload {
  session: URL | undefined
  /** Bytes that the registry has said it has. */
  sent: number
  piece: number
}

/** Asks how far a session is; one that the registry does not know any more, or that is further than the blob, is begun anew. */
async function resume(client: RegistryClient, upload: Upload, session: URL, { size }: BlobSource, signal: AbortSignal | undefined): Promise<void> {
  const state = await progressOf(client, session, signal)
  const isUsable = state !== undefined && state.offset <= size
  upload.session = isUsable ? state.location : undefined
  upload.sent = isUsable ? state.offset : 0
}

/** Sends the next piece. @returns where the session goes on */
async function append(client: RegistryClient, upload: Upload, session: URL, blob: BlobSource, { signal, onProgress }: UploadOptions): Promise<URL> {
  const start = upload.sent
  const end = Math.min(blob.size, start + upload.piece)
  const answer = await client.send('PATCH', session, {
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(end - start), 'content-range': `${start}-${end - 1}` },
    body: () => Readable.from(counted(blob.read(start, end), start, onProgress), { objectMode: false }),
    signal,
  })
  answer.discard()
  upload.sent = end
  return locationOf(client, answer)
}

async function finish(client: RegistryClient, session: URL, blob: BlobSource, bytes: Buffer | undefined, { signal, onProgress }: UploadOptions): Promise<void> {
  const url = new URL(session)
  url.searchParams.set('digest', blob.digest)
  const answer = await client.send('PUT', url, {
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(bytes?.length ?? 0) },
    ...(bytes === undefined ? {} : { body: () => bytes }),
    signal,
  })
  answer.discard()
  onProgress?.(blob.size)
}

/** How much of a session the registry has. @returns undefined when it does not know the session any more */
async function progressOf(client: RegistryClient, session: URL, signal: AbortSignal | undefined): Promise<{ readonly offset: number; readonly location: URL } | undefined> {
  const answer = await client.send('GET', session, { accept: [404, 400, 405, 416], signal })
  answer.discard()
  if (answer.status !== 204) return undefined
  // Inclusive; `0-0` is said of one byte and of none (distribution-spec, "Pushing a blob in chunks"), so it is begun anew.
  const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(String(answer.headers['range'] ?? ''))?.[1] ?? 0)
  return last === 0 ? undefined : { offset: last + 1, location: answer.headers['location'] === undefined ? session : locationOf(client, answer) }
}

/** Stores a manifest under a tag or its digest. */
export async function putManifest(client: RegistryClient, reference: string, manifest: Pick<Manifest | Index, 'bytes' | 'mediaType'>, signal?: AbortSignal): Promise<void> {
  const put = (): Promise<Answer> => client.send('PUT', client.url(`manifests/${reference}`), {
    headers: { 'content-type': manifest.mediaType, 'content-length': String(manifest.bytes.length) },
    body: () => manifest.bytes,
    signal,
  })
  const answer = await client.asking(put, signal)
  answer.discard()
}

function locationOf(client: RegistryClient, { headers, url }: Answer): URL {
  const location = headers['location']
  if (typeof location !== 'string') throw new EngineError('internal', `${client.endpoint.base} began an upload without saying where it is`)
  return addressFrom(url, location)
}

async function* counted(stream: Readable, start: number, onProgress: UploadOptions['onProgress']): AsyncGenerator<Buffer> {
  let sent = start
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    yield chunk
    sent += chunk.length
    onProgress?.(sent)
  }
}

async function toBuffer(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
