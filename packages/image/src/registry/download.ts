import { createHash, type Hash } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { EngineError } from '@engine/linux'
import type { Digest } from '../digest.ts'
import type { RegistryClient } from './client.ts'
import { retrying } from './retry.ts'
import { connectionError, shown, type Answer } from './transport.ts'

export interface DownloadOptions {
  readonly attempts: number
  readonly signal?: AbortSignal | undefined
  /** Bytes that are here so far, in the file. */
  readonly onProgress?: (bytes: number) => void
  /** What was here is not to be believed: it begins anew. */
  readonly onRestart?: () => void
  /** Seconds until the next attempt. */
  readonly onWait?: (seconds: number) => void
}

/** Bytes that are written at a time. */
const batch = 512 << 10

/**
 * Fetches a blob into a file, going on where the file ends: after a cut connection, or after the death of the process that began it.
 * The file has the blob when this returns, its digest and size checked; it keeps what came when the connection fails for good, and is
 * gone when what came was wrong. It is not flushed to disk.
 * @throws EngineError invalid-argument in Docker's words for wrong bytes
 */
export async function downloadBlob(client: RegistryClient, blob: { readonly digest: Digest; readonly size: number }, path: string, options: DownloadOptions): Promise<void> {
  await using file = await open(path, 'a+', 0o600)
  const download = new Download(client, blob, file, options)
  try {
    await download.resume()
    await retrying((gotFurther) => download.fetch(gotFurther), options)
  } catch (error) {
    if (error instanceof WrongBytes) await rm(path, { force: true })
    throw error
  }
}

/** What was fetched is not the blob. */
class WrongBytes extends EngineError {
  constructor(message: string) {
    super('invalid-argument', message)
    this.name = 'WrongBytes'
  }
}

class Download {
  readonly #client: RegistryClient
  readonly #blob: { readonly digest: Digest; readonly size: number }
  readonly #file: FileHandle
  readonly #options: DownloadOptions
  #hash: Hash = createHash('sha256')
  #size = 0
  /** The file began before this download: what is wrong may be from then. */
  #resumed = false

  constructor(client: RegistryClient, blob: { readonly digest: Digest; readonly size: number }, file: FileHandle, options: DownloadOptions) {
    this.#client = client
    this.#blob = blob
    this.#file = file
    this.#options = options
  }

  /** Reads what the file has. */
  async resume(): Promise<void> {
    const { size } = await this.#file.stat()
    if (size === 0) return
    if (size > this.#blob.size) return this.#restart()
    for await (const chunk of this.#file.createReadStream({ start: 0, autoClose: false, highWaterMark: batch }) as AsyncIterable<Buffer>) this.#hash.update(chunk)
    this.#size = size
    this.#resumed = true
    this.#options.onProgress?.(size)
  }

  /** Fetches what is missing, and checks the whole. */
  async fetch(gotFurther: () => void): Promise<void> {
    const { digest, size } = this.#blob
    if (this.#size < size || size === 0) await this.#receive(gotFurther)
    if (this.#size < size) throw new WrongBytes(`blob ${digest} has ${this.#size} bytes instead of the ${size} that its manifest says`)
    if (`sha256:${this.#hash.copy().digest('hex')}` === digest) return
    if (!this.#resumed) throw new WrongBytes(`filesystem layer verification failed for digest ${digest}`)
    await this.#restart()
    await this.fetch(gotFurther)
  }

  async #receive(gotFurther: () => void): Promise<void> {
    const { digest } = this.#blob
    const { signal } = this.#options
    const url = this.#client.url(`blobs/${digest}`)
    const headers = { 'accept-encoding': 'identity', ...(this.#size > 0 ? { range: `bytes=${this.#size}-` } : {}) }
    const answer = await this.#client.send('GET', url, { headers, accept: [416], signal })
    if (this.#size > 0 && !(await this.#continues(answer))) return this.#receive(gotFurther)
    const before = this.#size
    try {
      await this.#take(answer.body)
    } catch (error) {
      // A server that brings byte by byte gets no further.
      if (this.#size - before >= 1 << 16) gotFurther()
      throw connectionError(error, signal, `Get ${JSON.stringify(shown(url))}: `, url)
    } finally {
      answer.body.destroy()
    }
  }

  /** Whether an answer to a range begins where the file ends; otherwise it begins anew. @returns false when the request is to be sent again */
  async #continues(answer: Answer): Promise<boolean> {
    const { status, headers } = answer
    const first = /^bytes (\d+)-/.exec(String(headers['content-range'] ?? ''))?.[1]
    if (status === 206 && first === String(this.#size)) return true
    await this.#restart()
    if (status === 200) return true
    answer.discard()
    return false
  }

  async #take(body: Readable): Promise<void> {
    let pending: Buffer[] = []
    let waiting = 0
    const flush = async (): Promise<void> => {
      await writeAll(this.#file, pending)
      for (const chunk of pending) this.#hash.update(chunk)
      this.#size += waiting
      pending = []
      waiting = 0
      this.#options.onProgress?.(this.#size)
    }
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        if (this.#size + waiting + chunk.length > this.#blob.size) throw new WrongBytes(`blob ${this.#blob.digest} has more than the ${this.#blob.size} bytes that its manifest says`)
        pending.push(chunk)
        waiting += chunk.length
        if (waiting >= batch) await flush()
      }
    } finally {
      // What came before the connection broke is kept.
      if (waiting > 0) await flush()
    }
  }

  async #restart(): Promise<void> {
    this.#options.onRestart?.()
    await this.#file.truncate(0)
    this.#hash = createHash('sha256')
    this.#size = 0
    this.#resumed = false
  }
}

/** Appends without putting the chunks together first: at a gigabit a second that would be much memory to throw away. */
async function writeAll(file: FileHandle, chunks: readonly Buffer[]): Promise<void> {
  let rest = [...chunks]
  while (rest.length > 0) {
    let { bytesWritten: written } = await file.writev(rest)
    while (rest[0] !== undefined && written >= rest[0].length) {
      written -= rest[0].length
      rest = rest.slice(1)
    }
    if (rest[0] !== undefined) rest = [rest[0].subarray(written), ...rest.slice(1)]
  }
}
