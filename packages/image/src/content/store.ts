import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, renameSync, type ReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { EngineError } from '@engine/linux'
import { digestHex, digestOf, isDigest, type Digest } from '../digest.ts'

export interface Blob {
  readonly digest: Digest
  /** bytes */
  readonly size: number
}

export interface IngestOptions {
  /** What the bytes must be. */
  readonly expected?: { readonly digest?: Digest; readonly size?: number }
  /** Most bytes. */
  readonly limit?: number
  /** Whether the blob must be on the disk when this returns; without it a power cut may lose or damage it. Default true. */
  readonly sync?: boolean
}

/**
 * Blobs by digest: `content/sha256/<hex>`. A blob is written beside, flushed and renamed: what has the name is whole.
 * Writing the same bytes twice, even at once, is fine.
 */
export class ContentStore {
  readonly #blobs: string
  readonly #ingest: string
  readonly #partial: string

  /** @param root the directory `content` */
  constructor(root: string) {
    this.#blobs = join(root, 'sha256')
    this.#ingest = join(root, 'ingest')
    this.#partial = join(root, 'partial')
  }

  /** Makes the directories, and removes what a crash left half-written. Before anything else is called, at start. */
  async clean(): Promise<void> {
    await rm(this.#ingest, { recursive: true, force: true })
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 })
    await mkdir(this.#ingest, { recursive: true, mode: 0o700 })
    await mkdir(this.#partial, { recursive: true, mode: 0o700 })
  }

  /** A directory for what may become blobs; disposing removes it with what is left in it. */
  async scratch(): Promise<{ readonly directory: string } & AsyncDisposable> {
    const directory = join(this.#ingest, randomUUID())
    await mkdir(directory, { mode: 0o700 })
    return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) }
  }

  /** Gives a file of a scratch directory its name as a blob; the caller has verified it. Not flushed, as with {@link adopt}. */
  async adoptFile(file: string, digest: Digest): Promise<void> {
    await rename(file, this.path(digest))
  }

  /** Where a blob that is fetched lies until it is whole. Outlives a crash, so that the rest can be fetched later. */
  partialPath(digest: Digest): string {
    return join(this.#partial, basename(this.path(digest)))
  }

  /** Gives a fetched blob its name; the caller has verified it. Not flushed: a power cut may damage it, until the disk is synced. */
  async adopt(digest: Digest): Promise<void> {
    await rename(this.partialPath(digest), this.path(digest))
  }

  /** Blobs that have been fetched in part. */
  async listPartial(): Promise<Digest[]> {
    return (await readdir(this.#partial)).map((name) => `sha256:${name}`).filter((name) => isDigest(name))
  }

  /** Removes what there is of a blob that is not whole: it is gone when this is called, without a turn of the event loop. @returns its bytes */
  removePartial(digest: Digest): Promise<number> {
    return this.#discard(this.partialPath(digest))
  }

  /** Where a blob lies. */
  path(digest: Digest): string {
    if (!isDigest(digest)) throw new EngineError('invalid-argument', 'invalid checksum digest format')
    return join(this.#blobs, digestHex(digest))
  }

  /**
   * Takes a blob from a stream.
   * @throws EngineError invalid-argument when the bytes are not what was expected, or too many; nothing is left then
   */
  async ingest(bytes: AsyncIterable<Buffer | Uint8Array> | Iterable<Buffer>, options: IngestOptions = {}): Promise<Blob> {
    const { expected = {}, limit = Number.POSITIVE_INFINITY, sync = true } = options
    const temporary = join(this.#ingest, randomUUID())
    const hash = createHash('sha256')
    let size = 0
    try {
      {
        await using file = await open(temporary, 'wx', 0o600)
        for await (const chunk of bytes) {
          size += chunk.length
          if (size > limit || size > (expected.size ?? size)) throw new EngineError('invalid-argument', `the content is larger than ${expected.size ?? limit} bytes`)
          hash.update(chunk)
          await file.writeFile(chunk)
        }
        if (sync) await file.datasync()
      }
      const digest: Digest = `sha256:${hash.digest('hex')}`
      if (expected.digest !== undefined && digest !== expected.digest) {
        throw new EngineError('invalid-argument', `filesystem layer verification failed for digest ${expected.digest}`)
      }
      if (expected.size !== undefined && size !== expected.size) {
        throw new EngineError('invalid-argument', `the content has ${size} bytes instead of ${expected.size}`)
      }
      await rename(temporary, this.path(digest))
      if (sync) await syncDirectory(this.#blobs)
      return { digest, size }
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  /** Stores bytes that are at hand. */
  async put(bytes: Buffer, options: Pick<IngestOptions, 'sync'> = {}): Promise<Blob> {
    const digest = digestOf(bytes)
    return (await this.has(digest)) ? { digest, size: bytes.length } : await this.ingest([bytes], options)
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.size(digest)) !== undefined
  }

  /** A blob's bytes, or undefined when it is not there. */
  async size(digest: Digest): Promise<number | undefined> {
    return await sizeOf(this.path(digest))
  }

  /**
   * Reads a small blob and verifies it.
   * @throws EngineError not-found; internal when the disk holds something else than was written
   */
  async read(digest: Digest): Promise<Buffer> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of this.stream(digest)) chunks.push(chunk as Buffer)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
      throw new EngineError('not-found', `content ${digest} not found`, { cause })
    }
    const bytes = Buffer.concat(chunks)
    if (digestOf(bytes) !== digest) throw new EngineError('internal', `content ${digest} is damaged`)
    return bytes
  }

  /** @param start, end the first byte that is wanted, and the one after the last */
  stream(digest: Digest, start = 0, end = Number.POSITIVE_INFINITY): ReadStream {
    return createReadStream(this.path(digest), { highWaterMark: 1 << 20, start, end: end - 1 })
  }

  /** Removes a blob; nothing happens when it is not there. It is gone when this is called, without a turn of the event loop. @returns its bytes */
  remove(digest: Digest): Promise<number> {
    return this.#discard(this.path(digest))
  }

  /** The name goes at once, so that nobody who comes now takes it for what stays; freeing the space of a large file takes its time. */
  async #discard(path: string): Promise<number> {
    const discarded = join(this.#ingest, randomUUID())
    try {
      renameSync(path, discarded)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
      throw error
    }
    const { size } = await stat(discarded)
    await rm(discarded)
    return size
  }

  /** All blobs that are there. */
  async list(): Promise<Digest[]> {
    return (await readdir(this.#blobs)).map((name) => `sha256:${name}`).filter((name) => isDigest(name))
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Makes what was renamed into a directory last through a power cut. */
async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}
