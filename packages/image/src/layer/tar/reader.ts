import { EngineError } from '@engine/linux'
import { applyPax } from './apply-pax.ts'
import { beyondLimit, defaultLimits, type EntryType, type Extent, type TarEntry, type TarLimits } from './entry.ts'
import { blockSize, invalidHeader, parseHeader, type RawHeader } from './header.ts'
import { invalidPax, parsePax, parsePaxInteger, type PaxRecord } from './pax.ts'
import { checkExtents, parseGnuExtents, parseGnuRealSize, parsePaxSparse, SparseMapReader, tooManyExtents } from './sparse.ts'

/** Takes an archive's entries as they are read. A throw ends the reading. */
export interface TarHandler {
  entry(entry: TarEntry): void
  /** A part of the last entry's content, which belongs at `offset`. The buffer is only valid during the call. */
  content(chunk: Buffer, offset: number): void
  /** The last entry is complete. */
  finish(): void
}

interface PendingSparse {
  readonly header: RawHeader
  readonly size: number
  /** Of an old GNU sparse file, so far. */
  readonly extents: Extent[]
  /** Of a PAX 1.0 one. */
  readonly map?: SparseMapReader
  /** Bytes of it in the archive, the map not counted. */
  stored: number
}

const types: Readonly<Record<string, EntryType>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
}

/**
 * Reads a tar that is pushed into it in pieces of any size: ustar, pax, GNU, star and Version 7.
 * Global headers are read and ignored, as Docker does. What follows the end of the archive is ignored.
 */
export class TarReader {
  readonly #handler: TarHandler
  readonly #limits: TarLimits
  readonly #partial = Buffer.alloc(blockSize)
  #partialLength = 0
  /** Bytes of content still to come, and of padding after them. */
  #remaining = 0
  #padding = 0
  /** Where a special entry's content goes instead of to the handler. */
  #collected: { readonly typeFlag: string; readonly bytes: Buffer; length: number } | undefined
  #pax: PaxRecord[] | undefined
  #longPath: Buffer | undefined
  #longLink: Buffer | undefined
  /** A sparse file whose extents are still coming: the next block holds some. */
  #sparse: PendingSparse | undefined
  #extents: readonly Extent[] | undefined
  #extentIndex = 0
  #extentDone = 0
  #position = 0
  #inEntry = false
  #zeroBlocks = 0
  #entries = 0
  #contentBytes = 0

  constructor(handler: TarHandler, limits: TarLimits = defaultLimits) {
    this.#handler = handler
    this.#limits = limits
  }

  /** How many entries were read. */
  get entries(): number {
    return this.#entries
  }

  /** Whether the two blocks of zeros were seen that end an archive. */
  get ended(): boolean {
    return this.#zeroBlocks === 2
  }

  /** @throws EngineError invalid-argument for what is no tar, or exceeds a limit */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.ended) {
      if (this.#remaining > 0) {
        const take = Math.min(this.#remaining, chunk.length - at)
        this.#content(chunk.subarray(at, at + take))
        at += take
      } else if (this.#padding > 0) {
        const skip = Math.min(this.#padding, chunk.length - at)
        this.#padding -= skip
        at += skip
      } else if (this.#partialLength === 0 && chunk.length - at >= blockSize) {
        this.#block(chunk.subarray(at, at + blockSize))
        at += blockSize
      } else {
        const take = chunk.copy(this.#partial, this.#partialLength, at, at + blockSize - this.#partialLength)
        this.#partialLength += take
        at += take
        if (this.#partialLength === blockSize) {
          this.#partialLength = 0
          this.#block(this.#partial)
        }
      }
      // A file whose last byte came is complete, though its padding may still be missing.
      if (this.#inEntry && this.#remaining === 0) this.#finish()
    }
  }

  /** The archive's bytes have ended. @throws EngineError invalid-argument `unexpected EOF` when that is in the middle of something */
  end(): void {
    const whole = this.#remaining === 0 && this.#padding === 0 && this.#partialLength === 0 && this.#sparse === undefined
    if (!whole || this.#pax !== undefined || this.#longPath !== undefined || this.#longLink !== undefined) {
      throw new EngineError('invalid-argument', 'unexpected EOF')
    }
  }

  #content(bytes: Buffer): void {
    this.#remaining -= bytes.length
    if (this.#collected !== undefined) {
      bytes.copy(this.#collected.bytes, this.#collected.length)
      this.#collected.length += bytes.length
      if (this.#remaining === 0) this.#special(this.#collected.typeFlag, this.#collected.bytes)
      return
    }
    if (this.#extents === undefined) {
      this.#handler.content(bytes, this.#position)
      this.#position += bytes.length
      return
    }
    for (let at = 0; at < bytes.length; ) {
      const extent = this.#extents[this.#extentIndex] as Extent
      const take = Math.min(extent.length - this.#extentDone, bytes.length - at)
      if (take > 0) this.#handler.content(bytes.subarray(at, at + take), extent.offset + this.#extentDone)
      at += take
      this.#extentDone += take
      if (this.#extentDone === extent.length) {
        this.#extentIndex++
        this.#extentDone = 0
      }
    }
  }

  #block(block: Buffer): void {
    if (this.#sparse !== undefined) return this.#sparseBlock(this.#sparse, block)
    if (block.equals(zeroBlock)) {
      this.#zeroBlocks++
      return
    }
    if (this.#zeroBlocks > 0) throw invalidHeader('a single block of zeros')
    const header = parseHeader(block)
    if (header.size < 0) throw invalidHeader('a negative size')
    if ('xgLK'.includes(header.typeFlag)) return this.#beginSpecial(header)
    this.#begin(header, block)
  }

  #beginSpecial({ typeFlag, size }: RawHeader): void {
    const isPax = typeFlag === 'x' || typeFlag === 'g'
    const limit = isPax ? this.#limits.paxBytes : this.#limits.pathBytes + 1
    if (size > limit) throw beyondLimit(isPax ? 'pax-size' : 'path-length', `an extended header of the archive is larger than ${limit} bytes`)
    this.#remaining = size
    this.#padding = paddingOf(size)
    if (size === 0) return this.#special(typeFlag, Buffer.alloc(0))
    this.#collected = { typeFlag, bytes: Buffer.alloc(size), length: 0 }
  }

  #special(typeFlag: string, bytes: Buffer): void {
    this.#collected = undefined
    if (typeFlag === 'x') this.#pax = parsePax(bytes)
    else if (typeFlag === 'L') this.#longPath = untilNul(bytes)
    else if (typeFlag === 'K') this.#longLink = untilNul(bytes)
    else parsePax(bytes)
  }

  /** A header that is an entry's own: of a sparse file perhaps blocks with its extents follow first. */
  #begin(header: RawHeader, block: Buffer): void {
    const size = this.#paxSize(header)
    if (header.typeFlag === 'S') {
      const { extents, more } = parseGnuExtents(block, 'header')
      const realSize = parseGnuRealSize(block)
      if (!more) return this.#emit(header, realSize, size, extents)
      this.#sparse = { header, size: realSize, extents, stored: size }
      return
    }
    const sparse = (types[header.typeFlag] === 'file' && this.#pax !== undefined && parsePaxSparse(this.#pax, this.#limits.extents)) || undefined
    if (sparse === undefined) return this.#emit(header, size, size, undefined)
    const named = sparse.path === undefined ? header : { ...header, path: sparse.path }
    if (sparse.path !== undefined) this.#pax = this.#pax?.filter(([key]) => key !== 'path')
    if (sparse.extents !== undefined) return this.#emit(named, sparse.size, size, sparse.extents)
    this.#sparse = { header: named, size: sparse.size, extents: [], map: new SparseMapReader(this.#limits.extents), stored: size }
  }

  #sparseBlock(sparse: PendingSparse, block: Buffer): void {
    if (sparse.map !== undefined) {
      sparse.stored -= blockSize
      if (sparse.stored < 0) throw invalidHeader('a sparse file without its map')
      const extents = sparse.map.push(block)
      if (extents === undefined) return
      this.#sparse = undefined
      return this.#emit(sparse.header, sparse.size, sparse.stored, extents)
    }
    const { extents, more } = parseGnuExtents(block, 'extension')
    sparse.extents.push(...extents)
    if (sparse.extents.length > this.#limits.extents) throw tooManyExtents(this.#limits.extents)
    if (more) return
    this.#sparse = undefined
    this.#emit(sparse.header, sparse.size, sparse.stored, sparse.extents)
  }

  #paxSize(header: RawHeader): number {
    const value = this.#pax?.findLast(([key]) => key === 'size')?.[1]
    if (value === undefined || value.length === 0) return header.size
    const size = parsePaxInteger(value)
    if (size < 0) throw invalidPax()
    return size
  }

  #emit(header: RawHeader, size: number, stored: number, extents: readonly Extent[] | undefined): void {
    let type = types[header.typeFlag]
    if (type === undefined) throw new EngineError('invalid-argument', `unhandled tar header type ${header.typeFlag.charCodeAt(0)}`)
    const entry = applyPax(header, this.#pax)
    const path = this.#longPath ?? entry.path
    const linkPath = this.#longLink ?? entry.linkPath
    this.#pax = this.#longPath = this.#longLink = undefined
    if (header.typeFlag === '\0' && path.at(-1) === 0x2f) type = 'directory'
    for (const name of [path, linkPath]) {
      if (name.length > this.#limits.pathBytes) throw beyondLimit('path-length', `a path of the archive is longer than ${this.#limits.pathBytes} bytes`)
      if (name.includes(0)) throw invalidHeader('a path with a NUL byte')
    }
    if (++this.#entries > this.#limits.entries) throw beyondLimit('entries', `the archive has more than ${this.#limits.entries} entries`)
    const isFile = type === 'file'
    if (isFile && extents !== undefined) {
      checkExtents(extents, size, stored)
      if (size > this.#limits.sparseBytes) throw beyondLimit('sparse-size', `a sparse file of the archive is larger than ${this.#limits.sparseBytes} bytes`)
    }
    // The sizes that some tars give links and directories mean nothing and no content follows (as Go reads it).
    this.#contentBytes += isFile ? size : 0
    if (this.#contentBytes > this.#limits.contentBytes) {
      throw beyondLimit('total-size', `the archive's files are larger than ${this.#limits.contentBytes} bytes`)
    }
    this.#remaining = isFile ? stored : 0
    this.#padding = isFile ? paddingOf(stored) : 0
    this.#position = 0
    this.#extents = extents
    this.#extentIndex = this.#extentDone = 0
    this.#inEntry = true
    entry.type = type
    entry.path = path
    entry.linkPath = linkPath
    entry.size = isFile ? size : 0
    if (isFile && extents !== undefined) entry.extents = extents
    this.#handler.entry(entry)
  }

  #finish(): void {
    this.#inEntry = false
    this.#handler.finish()
  }
}

function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

const zeroBlock = Buffer.alloc(blockSize)
