import { EngineError } from '@engine/linux'
import type { EntryType, TarEntry } from './entry.ts'
import { blockSize, fitsOctal, writeHeader } from './header.ts'
import { writePax, writePaxTime, type PaxRecord } from './pax.ts'

const typeFlags: Readonly<Record<EntryType, string>> = { file: '0', hardlink: '1', symlink: '2', char: '3', block: '4', directory: '5', fifo: '6' }

/**
 * The header of an entry: a ustar block, with a pax header before it for what that cannot hold (long or non-ASCII names, large
 * numbers, times with a fraction, extended attributes). The same entry always gives the same bytes. Sparse files are written whole.
 * @throws EngineError invalid-argument for a name with a NUL byte
 */
export function writeEntry(entry: TarEntry): Buffer {
  if (entry.path.includes(0) || entry.linkPath.includes(0)) throw new EngineError('invalid-argument', 'a path with a NUL byte cannot be archived')
  const records = new Map<string, Buffer>()
  const { name, prefix } = splitPath(entry.path, records)
  const seconds = floorSeconds(entry.mtime)
  const fits = seconds * 1_000_000_000n === entry.mtime && fitsOctal(Number(seconds), 12)
  if (!fits) records.set('mtime', writePaxTime(entry.mtime))
  if (entry.atime !== undefined) records.set('atime', writePaxTime(entry.atime))
  const fields = {
    typeFlag: typeFlags[entry.type],
    name,
    prefix,
    mode: entry.mode & 0o7777,
    uid: number('uid', entry.uid, 8, records),
    gid: number('gid', entry.gid, 8, records),
    size: number('size', entry.size, 12, records),
    mtime: fits ? Number(seconds) : 0,
    linkPath: string('linkpath', entry.linkPath, 100, records),
    userName: string('uname', entry.userName, 32, records),
    groupName: string('gname', entry.groupName, 32, records),
    deviceMajor: entry.deviceMajor,
    deviceMinor: entry.deviceMinor,
  }
  for (const [attribute, value] of entry.xattrs) records.set(`SCHILY.xattr.${attribute}`, value)
  const block = writeHeader(fields)
  if (records.size === 0) return block
  const sorted: PaxRecord[] = [...records].sort(([a], [b]) => (a < b ? -1 : 1))
  const pax = writePax(sorted)
  return Buffer.concat([paxBlock(entry.path, pax.length), pax, padding(pax.length), block])
}

/** The zeros that follow content of so many bytes. */
export function padding(size: number): Buffer {
  return zeros.subarray(0, (blockSize - (size % blockSize)) % blockSize)
}

/** The two blocks of zeros that end an archive. */
export const endOfArchive: Buffer = Buffer.alloc(2 * blockSize)

/** An entry with the fields given and nothing else in it: files of root from the epoch. */
export function newEntry(type: EntryType, path: string | Buffer, fields: Partial<TarEntry> = {}): TarEntry {
  return {
    type,
    path: Buffer.from(path),
    mode: type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0n,
    linkPath: none,
    userName: none,
    groupName: none,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
    ...fields,
  }
}

function paxBlock(path: Buffer, size: number): Buffer {
  const base = path.toString('latin1').replace(/\/+$/, '').split('/').at(-1) ?? ''
  return writeHeader({
    typeFlag: 'x',
    name: Buffer.from(`PaxHeaders.0/${base.replace(/[^ -~]/g, '_')}`.slice(0, 99), 'latin1'),
    prefix: none,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: 0,
    linkPath: none,
    userName: none,
    groupName: none,
    deviceMajor: 0,
    deviceMinor: 0,
  })
}

/** The path in the block's name and prefix, split at a slash where it is long; as a record where that is not possible. */
function splitPath(path: Buffer, records: Map<string, Buffer>): { name: Buffer; prefix: Buffer } {
  if (isAscii(path)) {
    if (path.length <= 100) return { name: path, prefix: none }
    // The first slash that leaves 100 bytes or fewer; one at the end belongs to the name.
    for (let at = path.length - 101; at <= 155 && at < path.length - 1; at++) {
      if (at > 0 && path[at] === 0x2f) return { name: path.subarray(at + 1), prefix: path.subarray(0, at) }
    }
  }
  records.set('path', path)
  return { name: Buffer.from(path.subarray(0, 100).map((byte) => (byte < 0x80 ? byte : 0x5f))), prefix: none }
}

function string(key: string, value: Buffer, length: number, records: Map<string, Buffer>): Buffer {
  if (value.length <= length && isAscii(value)) return value
  records.set(key, value)
  return Buffer.from(value.subarray(0, length).map((byte) => (byte < 0x80 ? byte : 0x5f)))
}

function number(key: string, value: number, length: number, records: Map<string, Buffer>): number {
  if (fitsOctal(value, length)) return value
  records.set(key, Buffer.from(String(value)))
  return 0
}

function floorSeconds(nanoseconds: bigint): bigint {
  const seconds = nanoseconds / 1_000_000_000n
  return seconds * 1_000_000_000n > nanoseconds ? seconds - 1n : seconds
}

function isAscii(bytes: Buffer): boolean {
  return bytes.every((byte) => byte < 0x80)
}

const none = Buffer.alloc(0)
const zeros = Buffer.alloc(blockSize)
