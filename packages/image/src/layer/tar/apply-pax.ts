import type { TarEntry } from './entry.ts'
import type { RawHeader } from './header.ts'
import { parsePaxInteger, parsePaxTime, type PaxRecord } from './pax.ts'

/** An entry that is being put together. */
export type Draft = { -readonly [K in keyof TarEntry]: TarEntry[K] }

/** The entry that a header block and its extended header's records make. An empty value leaves what the block says. */
export function applyPax(header: RawHeader, records: readonly PaxRecord[] | undefined): Draft {
  const entry: Draft = {
    type: 'file',
    size: 0,
    path: header.path,
    mode: header.mode & 0o7777,
    uid: header.uid,
    gid: header.gid,
    mtime: BigInt(header.mtime) * 1_000_000_000n,
    linkPath: header.linkPath,
    userName: header.userName,
    groupName: header.groupName,
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    xattrs: noXattrs,
  }
  if (records === undefined) return entry
  const xattrs = new Map<string, Buffer>()
  for (const [key, value] of records) {
    if (key.startsWith('SCHILY.xattr.')) {
      xattrs.set(key.slice(13), value)
      continue
    }
    if (value.length === 0) continue
    if (key === 'path') entry.path = value
    else if (key === 'linkpath') entry.linkPath = value
    else if (key === 'uname') entry.userName = value
    else if (key === 'gname') entry.groupName = value
    else if (key === 'uid') entry.uid = parsePaxInteger(value)
    else if (key === 'gid') entry.gid = parsePaxInteger(value)
    else if (key === 'mtime') entry.mtime = parsePaxTime(value)
    else if (key === 'atime') entry.atime = parsePaxTime(value)
    else if (key === 'SCHILY.devmajor') entry.deviceMajor = parsePaxInteger(value)
    else if (key === 'SCHILY.devminor') entry.deviceMinor = parsePaxInteger(value)
  }
  if (xattrs.size > 0) entry.xattrs = xattrs
  return entry
}

const noXattrs: ReadonlyMap<string, Buffer> = new Map()
