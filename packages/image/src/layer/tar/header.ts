import { EngineError } from '@engine/linux'

/*
 * The 512-byte header block: POSIX ustar, and what GNU tar, star and Version 7 made of it (tar(5) of libarchive).
 * Pure functions over bytes; what reading accepts is what Go's archive/tar accepts, so that nobody sees two things in one layer.
 */

export const blockSize = 512

export type HeaderFormat = 'ustar' | 'gnu' | 'star' | 'v7'

/** One header block as it stands, before extended headers are applied to it. */
export interface RawHeader {
  readonly format: HeaderFormat
  readonly typeFlag: string
  readonly path: Buffer
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Seconds since the epoch. */
  readonly mtime: number
  readonly linkPath: Buffer
  readonly userName: Buffer
  readonly groupName: Buffer
  readonly deviceMajor: number
  readonly deviceMinor: number
}

/** @throws EngineError invalid-argument for a wrong checksum or a field that is no number */
export function parseHeader(block: Buffer): RawHeader {
  verifyChecksum(block)
  const format = formatOf(block)
  const name = text(block, 0, 100)
  const prefix = format === 'v7' ? empty : prefixOf(block, format)
  const hasDevice = format !== 'v7'
  return {
    format,
    typeFlag: String.fromCharCode(block[156] as number),
    path: prefix.length === 0 ? name : Buffer.concat([prefix, slash, name]),
    mode: parseNumber(block.subarray(100, 108)),
    uid: parseNumber(block.subarray(108, 116)),
    gid: parseNumber(block.subarray(116, 124)),
    size: parseNumber(block.subarray(124, 136)),
    mtime: parseNumber(block.subarray(136, 148)),
    linkPath: text(block, 157, 100),
    userName: hasDevice ? text(block, 265, 32) : empty,
    groupName: hasDevice ? text(block, 297, 32) : empty,
    deviceMajor: hasDevice ? parseNumber(block.subarray(329, 337)) : 0,
    deviceMinor: hasDevice ? parseNumber(block.subarray(337, 345)) : 0,
  }
}

/** What {@link writeHeader} writes; every string must fit its field and be checked before. */
export interface HeaderFields {
  readonly typeFlag: string
  readonly name: Buffer
  readonly prefix: Buffer
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtime: number
  readonly linkPath: Buffer
  readonly userName: Buffer
  readonly groupName: Buffer
  readonly deviceMajor: number
  readonly deviceMinor: number
}

/** A ustar block. Numbers that do not fit become base-256, which every reader of today knows. */
export function writeHeader(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(blockSize)
  fields.name.copy(block, 0, 0, 100)
  writeNumber(block, 100, 8, fields.mode)
  writeNumber(block, 108, 8, fields.uid)
  writeNumber(block, 116, 8, fields.gid)
  writeNumber(block, 124, 12, fields.size)
  writeNumber(block, 136, 12, fields.mtime)
  block.write(fields.typeFlag, 156, 1, 'latin1')
  fields.linkPath.copy(block, 157, 0, 100)
  block.write('ustar\x0000', 257, 'latin1')
  fields.userName.copy(block, 265, 0, 32)
  fields.groupName.copy(block, 297, 0, 32)
  writeNumber(block, 329, 8, fields.deviceMajor)
  writeNumber(block, 337, 8, fields.deviceMinor)
  fields.prefix.copy(block, 345, 0, 155)
  const [sum] = checksums(block)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** Whether a number fits a field of so many bytes as octal digits and a NUL. */
export function fitsOctal(value: number, length: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 8 ** (length - 1)
}

/**
 * A numeric field: octal digits among spaces and NULs, or base-256 when the first bit is set (negative when the second is, too).
 * @throws EngineError invalid-argument for anything else, and for what is beyond 2^53
 */
export function parseNumber(field: Buffer): number {
  const first = field[0] as number
  if ((first & 0x80) !== 0) {
    const negative = (first & 0x40) !== 0
    let value = negative ? -1n : 0n
    for (const [index, byte] of field.entries()) {
      const bits = index > 0 ? byte : negative ? byte | 0x80 : byte & 0x7f
      value = (value << 8n) | BigInt(bits)
    }
    if (value > maxSafe || value < -maxSafe) throw invalidHeader('a number beyond 2^53')
    return Number(value)
  }
  let start = 0
  let end = field.length
  while (start < end && isBlank(field[start] as number)) start++
  while (end > start && isBlank(field[end - 1] as number)) end--
  const nul = field.indexOf(0, start)
  if (nul >= 0 && nul < end) end = nul
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (field[at] as number) - 0x30
    if (digit < 0 || digit > 7) throw invalidHeader('a numeric field that is no number')
    value = value * 8 + digit
  }
  return value
}

export function invalidHeader(detail: string): EngineError {
  return new EngineError('invalid-argument', `archive/tar: invalid tar header: ${detail}`)
}

function writeNumber(block: Buffer, offset: number, length: number, value: number): void {
  if (fitsOctal(value, length)) {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1')
    return
  }
  let rest = BigInt(value)
  for (let at = offset + length - 1; at >= offset; at--) {
    block[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  block[offset] = (block[offset] as number) | 0x80
}

/** The sum of all bytes with the checksum field as spaces, unsigned and (as old tars summed) signed. */
function checksums(block: Buffer): [number, number] {
  let unsigned = 0
  let signed = 0
  for (let at = 0; at < blockSize; at++) {
    const byte = at >= 148 && at < 156 ? 0x20 : (block[at] as number)
    unsigned += byte
    signed += byte < 0x80 ? byte : byte - 0x100
  }
  return [unsigned, signed]
}

function verifyChecksum(block: Buffer): void {
  const recorded = parseNumber(block.subarray(148, 156))
  if (!checksums(block).includes(recorded)) throw new EngineError('invalid-argument', 'archive/tar: invalid tar header')
}

function formatOf(block: Buffer): HeaderFormat {
  const magic = block.toString('latin1', 257, 265)
  if (magic === 'ustar\x0000') return block.toString('latin1', 508, 512) === 'tar\0' ? 'star' : 'ustar'
  return magic === 'ustar  \0' ? 'gnu' : 'v7'
}

function prefixOf(block: Buffer, format: HeaderFormat): Buffer {
  if (format === 'ustar') return text(block, 345, 155)
  if (format === 'star') return text(block, 345, 131)
  // GNU keeps the access time here; Go's writer before 1.9 (layers of old Dockers) a prefix beside GNU's magic.
  return /^[0-7 \0]*$/.test(block.toString('latin1', 345, 357)) || (block[345] as number) >= 0x80 ? empty : text(block, 345, 155)
}

function text(block: Buffer, offset: number, length: number): Buffer {
  const field = block.subarray(offset, offset + length)
  const end = field.indexOf(0)
  // A copy: the block is a part of a buffer that is used again.
  return Buffer.from(end < 0 ? field : field.subarray(0, end))
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0
}

const maxSafe = BigInt(Number.MAX_SAFE_INTEGER)
const empty = Buffer.alloc(0)
const slash = Buffer.from('/')
