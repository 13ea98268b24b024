import { EngineError } from '@engine/linux'
import type { Extent } from './entry.ts'
import { invalidHeader, parseNumber } from './header.ts'
import { invalidPax, parsePaxInteger, type PaxRecord } from './pax.ts'

/*
 * Sparse files, in the four ways of GNU tar (its manual, "Storing Sparse Files"): the old type S, and PAX 0.0, 0.1 and 1.0.
 */

/** The extents of an old GNU header (four, at 386) or of one of its extension blocks (21), and whether one more block follows. */
export function parseGnuExtents(block: Buffer, where: 'header' | 'extension'): { readonly extents: Extent[]; readonly more: boolean } {
  const [start, count, flag] = where === 'header' ? [386, 4, 482] : [0, 21, 504]
  const extents: Extent[] = []
  for (let index = 0; index < count; index++) {
    const at = start + index * 24
    if (block[at] === 0) break
    extents.push({ offset: parseNumber(block.subarray(at, at + 12)), length: parseNumber(block.subarray(at + 12, at + 24)) })
  }
  return { extents, more: block[flag] !== 0 }
}

/** The real size in an old GNU sparse header. */
export function parseGnuRealSize(block: Buffer): number {
  return parseNumber(block.subarray(483, 495))
}

/** What PAX records say of a sparse file. */
export interface PaxSparse {
  readonly path?: Buffer
  readonly size: number
  /** Undefined in version 1.0, where they stand before the content. */
  readonly extents?: readonly Extent[]
}

/** Reads the GNU.sparse records; undefined when there are none. @throws EngineError invalid-argument */
export function parsePaxSparse(records: readonly PaxRecord[], limit: number): PaxSparse | undefined {
  const values = new Map(records.filter(([key]) => key.startsWith('GNU.sparse.')))
  if (values.size === 0) return undefined
  const size = values.get('GNU.sparse.realsize') ?? values.get('GNU.sparse.size')
  if (size === undefined) throw invalidPax()
  const path = values.get('GNU.sparse.name')
  const base = { size: parsePaxInteger(size), ...(path === undefined || path.length === 0 ? {} : { path }) }
  if (values.get('GNU.sparse.major')?.toString() === '1') {
    if (values.get('GNU.sparse.minor')?.toString() !== '0') throw invalidHeader('an unknown version of sparse file')
    return base
  }
  const map = values.get('GNU.sparse.map')
  const numbers =
    map === undefined
      ? records.filter(([key]) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes').map(([, value]) => parsePaxInteger(value))
      : map.length === 0
        ? []
        : map.toString('latin1').split(',', limit * 2 + 2).map((text) => parsePaxInteger(Buffer.from(text, 'latin1')))
  return { ...base, extents: pairs(numbers, limit) }
}

/** Collects the map of PAX 1.0: decimal numbers, one a line, padded to blocks, before the content. */
export class SparseMapReader {
  readonly #limit: number
  readonly #numbers: number[] = []
  #digits = ''
  #needed: number | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Takes one block; the extents when the map is complete. */
  push(block: Buffer): Extent[] | undefined {
    for (const byte of block) {
      if (byte === 0x0a) {
        const number = parsePaxInteger(Buffer.from(this.#digits, 'latin1'))
        this.#digits = ''
        if (this.#needed === undefined) {
          if (number < 0 || number > this.#limit) throw tooManyExtents(this.#limit)
          this.#needed = number * 2
        } else {
          this.#numbers.push(number)
        }
        if (this.#numbers.length === this.#needed) return pairs(this.#numbers, this.#limit)
      } else {
        if (this.#digits.length > 20) throw invalidHeader('a malformed map of a sparse file')
        this.#digits += String.fromCharCode(byte)
      }
    }
    return undefined
  }
}

/**
 * Checks that extents ascend without overlap, end within the file, and take exactly the bytes that follow.
 * @throws EngineError invalid-argument
 */
export function checkExtents(extents: readonly Extent[], size: number, stored: number): void {
  let end = 0
  let total = 0
  for (const { offset, length } of extents) {
    if (offset < end || length < 0 || !Number.isSafeInteger(offset + length)) throw invalidHeader('overlapping parts of a sparse file')
    end = offset + length
    total += length
  }
  if (end > size || total !== stored) throw invalidHeader('parts of a sparse file beyond its size')
}

export function tooManyExtents(limit: number): EngineError {
  return new EngineError('invalid-argument', `a sparse file of the archive has more than ${limit} parts`)
}

function pairs(numbers: readonly number[], limit: number): Extent[] {
  if (numbers.length % 2 !== 0) throw invalidPax()
  if (numbers.length / 2 > limit) throw tooManyExtents(limit)
  const extents: Extent[] = []
  for (let at = 0; at < numbers.length; at += 2) extents.push({ offset: numbers[at] as number, length: numbers[at + 1] as number })
  return extents
}
