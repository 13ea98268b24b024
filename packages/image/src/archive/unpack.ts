import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '@engine/linux'
import type { Digest } from '../digest.ts'
import { joinComponents, splitEntryPath } from '../layer/entry-path.ts'
import { defaultLimits, type TarEntry, type TarLimits } from '../layer/tar/entry.ts'
import { readTar } from '../layer/tar/read.ts'
import type { TarHandler } from '../layer/tar/reader.ts'

/** A file of an image archive, written under a name of ours. */
export interface UnpackedFile {
  /** In the archive, cleaned: no `.`, `..` or slash at its beginning. */
  readonly path: string
  /** Where its bytes are. */
  readonly file: string
  readonly digest: Digest
  /** bytes */
  readonly size: number
}

/** What an image archive holds. Of two entries with one path the later one counts. */
export interface Unpacked {
  readonly files: readonly UnpackedFile[]
  /** Symbolic and hard links, by cleaned paths: old archives have them for layers that images share. */
  readonly links: readonly { readonly path: string; readonly target: string }[]
}

/** An image archive has a handful of entries for each layer. */
const maxEntries = 100_000

/**
 * Writes the files of an image archive (compressed or not) into a directory, under numbers: no name of the archive becomes a path.
 * Runs in a worker.
 * @throws EngineError invalid-argument for what is no tar, or holds what no image archive has; the caller removes the directory
 */
export async function unpackArchive(chunks: AsyncIterable<Buffer>, directory: string, signal: AbortSignal, given: TarLimits = defaultLimits): Promise<Unpacked> {
  const limits = { ...given, entries: Math.min(given.entries, maxEntries) }
  using unpacker = new ArchiveUnpacker(directory, limits)
  const size = await readTar(chunks, unpacker, limits, signal)
  if (size === 0) throw new EngineError('invalid-argument', 'the image archive is empty')
  return unpacker.unpacked()
}

class ArchiveUnpacker implements TarHandler, Disposable {
  readonly #directory: string
  readonly #limits: TarLimits
  readonly #files = new Map<string, UnpackedFile>()
  readonly #links = new Map<string, string>()
  #count = 0
  #open: { readonly path: string; readonly file: string; readonly fd: number; readonly hash: Hash; size: number } | undefined

  constructor(directory: string, limits: TarLimits) {
    this.#directory = directory
    this.#limits = limits
  }

  entry(entry: TarEntry): void {
    const path = this.#clean(entry.path)
    switch (entry.type) {
      case 'directory':
        return
      case 'file': {
        if (entry.extents !== undefined) throw new EngineError('invalid-argument', `the image archive holds a sparse file: ${JSON.stringify(path)}`)
        const file = join(this.#directory, String(this.#count++))
        this.#open = { path, file, fd: openSync(file, 'wx', 0o600), hash: createHash('sha256'), size: 0 }
        return
      }
      case 'symlink': {
        const above = path.slice(0, path.lastIndexOf('/') + 1)
        const isAbsolute = entry.linkPath[0] === 0x2f
        this.#links.set(path, this.#clean(isAbsolute ? entry.linkPath : Buffer.concat([Buffer.from(above), entry.linkPath])))
        this.#files.delete(path)
        return
      }
      case 'hardlink':
        this.#links.set(path, this.#clean(entry.linkPath))
        this.#files.delete(path)
        return
      default:
        throw new EngineError('invalid-argument', `the image archive holds a device or FIFO: ${JSON.stringify(path)}`)
    }
  }

  content(chunk: Buffer): void {
    const open = this.#open
    if (open === undefined) return
    open.hash.update(chunk)
    open.size += chunk.length
    for (let done = 0; done < chunk.length; ) done += writeSync(open.fd, chunk, done)
  }

  finish(): void {
    const open = this.#open
    if (open === undefined) return
    this.#close()
    const { path, file, hash, size } = open
    this.#files.set(path, { path, file, digest: `sha256:${hash.digest('hex')}`, size })
    this.#links.delete(path)
  }

  unpacked(): Unpacked {
    return { files: [...this.#files.values()], links: [...this.#links].map(([path, target]) => ({ path, target })) }
  }

  [Symbol.dispose](): void {
    this.#close()
  }

  #close(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd)
    this.#open = undefined
  }

  #clean(path: Buffer): string {
    return joinComponents(splitEntryPath(path, this.#limits.depth)).toString()
  }
}
