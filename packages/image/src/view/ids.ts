import { EngineError } from '@engine/linux'
import { withFileIds } from '@engine/linux/file-ids'
import { toHostId, toNamespaceId, type IdMapping, type IdMappings } from '@engine/linux/id-mappings'
import type { TarEntry } from '../layer/tar/entry.ts'

// struct vfs_ns_cap_data (linux/capability.h): magic_etc, two pairs of words, and in revision 3 the host's id of the root that it counts for.
const attribute = 'security.capability'
const revisionMask = 0xff00_0000
const revision2 = 0x0200_0000
const bytes2 = 20
const bytes3 = 24

/** An entry as a container sees it whose ids are others on the host. */
export function seenInContainer(entry: TarEntry, ids: IdMappings | undefined): TarEntry {
  if (ids === undefined) return entry
  return { ...entry, uid: toNamespaceId(ids.uids, entry.uid), gid: toNamespaceId(ids.gids, entry.gid), xattrs: withoutHostRoot(entry.xattrs, ids) }
}

/** File capabilities that count for the container's root count, in there, for root. */
function withoutHostRoot(xattrs: TarEntry['xattrs'], ids: IdMappings): TarEntry['xattrs'] {
  const value = xattrs.get(attribute)
  if (value?.length !== bytes3 || toNamespaceId(ids.uids, value.readUInt32LE(bytes2)) !== 0) return xattrs
  const plain = Buffer.from(value.subarray(0, bytes2))
  plain.writeUInt32LE(((plain.readUInt32LE(0) & ~revisionMask) | revision2) >>> 0, 0)
  return new Map([...xattrs, [attribute, plain]])
}

/** The same the other way: what an archive names is the container's. @throws EngineError invalid-argument in Docker's words for an id that the container has not */
export function ownedOnHost(entry: TarEntry, ids: IdMappings | undefined): TarEntry {
  return ids === undefined ? entry : { ...entry, uid: hostId(ids.uids, entry.uid), gid: hostId(ids.gids, entry.gid) }
}

function hostId(mappings: readonly IdMapping[], id: number): number {
  const mapped = toHostId(mappings, id)
  if (mapped === undefined) throw new EngineError('invalid-argument', `Container ID ${id} cannot be mapped to a host ID`)
  return mapped
}

/** Runs synchronous work that makes files as the container's root: with other ids they could not be made there. */
export function asRootOf<T>(ids: IdMappings | undefined, work: () => T): T {
  return ids === undefined ? work() : withFileIds({ uid: hostId(ids.uids, 0), gid: hostId(ids.gids, 0) }, work)
}
