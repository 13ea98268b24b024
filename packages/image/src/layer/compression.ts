import { spawn } from 'node:child_process'
import { createReadStream, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { EngineError } from '@engine/linux'
import { cutFrames } from './zstd-frames.ts'

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2'

const magic: readonly (readonly [Compression, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b, 0x08])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['bzip2', Buffer.from([0x42, 0x5a, 0x68])],
]

/** Bytes that {@link detectCompression} wants to see. */
export const magicLength = 6

/** What compressed a stream, by its first bytes. A zstd stream may begin with a skippable frame. */
export function detectCompression(head: Buffer): Compression {
  if (head.length >= 4 && (head.readUInt32LE(0) & 0xfffffff0) >>> 0 === 0x184d2a50) return 'zstd'
  return magic.find(([, bytes]) => head.subarray(0, bytes.length).equals(bytes))?.[0] ?? 'none'
}

/** The compression of a file, by its first bytes. */
export async function compressionOf(path: string): Promise<Compression> {
  await using file = await open(path, 'r')
  const head = Buffer.alloc(magicLength)
  const { bytesRead } = await file.read(head, 0, magicLength, 0)
  return detectCompression(head.subarray(0, bytesRead))
}

/** One large chunk at a time is much faster than the 16 KiB that zlib's streams give by themselves. */
const chunkSize = 256 << 10

/**
 * The uncompressed bytes of a file, see {@link decompressed}.
 * @param onRead told how many of the file's bytes have been read
 * @throws EngineError invalid-argument in the stream, for data that is damaged
 */
export async function* readUncompressed(path: string, onRead: (bytes: number) => void = () => undefined): AsyncGenerator<Buffer, void, undefined> {
  const file = createReadStream(path, { highWaterMark: chunkSize })
  try {
    yield* decompressed(counted(file as AsyncIterable<Buffer>, onRead))
  } finally {
    file.destroy()
  }
}

/**
 * The same, for a worker that is done with a piece when it asks for the next one: what is not compressed is read on this thread, into one
 * buffer. Streams give a new one for each piece, and what is waiting for a collection then is most of what a worker takes.
 */
export async function* readPieces(path: string, onRead: (bytes: number) => void = () => undefined): AsyncGenerator<Buffer, void, undefined> {
  if ((await compressionOf(path)) !== 'none') return yield* readUncompressed(path, onRead)
  await using file = await open(path, 'r')
  const piece = Buffer.allocUnsafe(chunkSize)
  let bytes = 0
  for (let count = readSync(file.fd, piece); count > 0; count = readSync(file.fd, piece)) {
    bytes += count
    onRead(bytes)
    yield piece.subarray(0, count)
    // A turn for messages, which may say that it is cancelled.
    await setImmediate()
  }
}

/**
 * The uncompressed bytes of a stream, whatever compressed it. gzip and zstd are decompressed in this process; xz and bzip2 by the
 * host's programs, named by absolute path and with an environment of their own, and never inside a container's root (CVE-2026-41567).
 * @throws EngineError invalid-argument in the stream, for data that is damaged
 */
export async function* decompressed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const { compression, all } = await beginningOf(chunks)
  switch (compression) {
    case 'none':
      yield* all
      return
    case 'gzip':
      yield* through(createGunzip({ chunkSize }), Readable.from(all, { objectMode: false }), compression)
      return
    case 'zstd':
      yield* through(createZstdDecompress({ chunkSize }), Readable.from(cutFrames(all), { objectMode: false }), compression)
      return
    case 'xz':
    case 'bzip2':
      yield* runDecompressor(compression === 'xz' ? '/usr/bin/xz' : '/usr/bin/bzip2', all)
  }
}

/** A stream, with how much of it has passed. @param onRead told how many bytes */
export async function* counted(chunks: AsyncIterable<Buffer>, onRead: (bytes: number) => void): AsyncGenerator<Buffer, void, undefined> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    onRead(bytes)
    yield chunk
  }
}

/** What compressed a stream, and the stream with the bytes that told. */
async function beginningOf(chunks: AsyncIterable<Buffer>): Promise<{ readonly compression: Compression; readonly all: AsyncGenerator<Buffer, void, undefined> }> {
  const source = chunks[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  while (head.length < magicLength) {
    const next = await source.next()
    if (next.done === true) break
    head = Buffer.concat([head, next.value])
  }
  async function* again(): AsyncGenerator<Buffer, void, undefined> {
    try {
      if (head.length > 0) yield head
      for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value
    } finally {
      await source.return?.()
    }
  }
  return { compression: detectCompression(head), all: again() }
}

async function* through(stream: Transform, source: Readable, compression: Compression): AsyncGenerator<Buffer, void, undefined> {
  source.once('error', (error: Error) => stream.destroy(error))
  try {
    yield* source.pipe(stream) as AsyncIterable<Buffer>
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    if (code === 'Z_BUF_ERROR') throw new EngineError('invalid-argument', 'unexpected EOF', { cause })
    if (code.startsWith('Z_') || code.startsWith('ZSTD_')) throw new EngineError('invalid-argument', `${compression}: ${(cause as Error).message}`, { cause })
    throw cause
  } finally {
    stream.destroy()
    source.destroy()
  }
}

async function* runDecompressor(program: string, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const child = spawn(program, ['-d', '-c', '-q'], { stdio: ['pipe', 'pipe', 'pipe'], env: {}, cwd: '/' })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  // The rejections are met below, after the output; until then they must not count as unhandled.
  ended.catch(() => undefined)
  const fed = pipeline(source, child.stdin)
  fed.catch(() => undefined)
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(0, 1000)))
  try {
    yield* child.stdout as AsyncIterable<Buffer>
    const status = await ended.catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw cause
      throw new EngineError('unavailable', `${program} is not installed on the host`, { cause, hint: `install it (Debian: ${program.endsWith('xz') ? 'xz-utils' : 'bzip2'})` })
    })
    if (status !== 0) throw new EngineError('invalid-argument', `${program}: ${complaint.trim() || `exit status ${status}`}`)
    // It may end before it has read everything; a source that broke off says so here.
    await fed.catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
    })
  } finally {
    child.kill('SIGKILL')
  }
}
