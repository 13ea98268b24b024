import { constants, fstatSync, readSync, type BigIntStats } from 'node:fs'
import { readlinkat, splitDevice } from '@engine/linux/file-at'
import { openChild, procChild, procPath, type Descriptor } from '@engine/linux/paths'
import { getXattr, listXattrs } from '@engine/linux/xattr'
import { joinComponents } from './entry-path.ts'
import type { EntryType, TarEntry } from './tar/entry.ts'
import { endOfArchive, newEntry, padding, writeEntry } from './tar/writer.ts'
import { ifThere, walkTree, type WalkedEntry } from './walk.ts'
import { opaqueName, opaqueXattr, whiteoutPrefix } from './whiteout.ts'

export interface DiffOptions {
  /** `layer`: an overlay's upper directory, whiteouts become `.wh.` files. `archive`: a plain tree. */
  readonly kind: 'layer' | 'archive'
  /** Whether times keep their fractions of a second; layers have whole seconds, as everybody's do. Default false. */
  readonly exactTimes?: boolean
  /** What becomes of an entry before it is written: owners as others see them. */
  readonly seen?: (entry: TarEntry) => TarEntry
}

const readSize = 1 << 20

/**
 * The tar of a tree, piece by piece. The same tree always gives the same bytes: names are sorted, times are whole seconds, owners are
 * numbers only, and of the extended attributes there are security.capability and user.*. Sockets are left out.
 * Synchronous: runs in a worker.
 * @param rootFd the tree's directory; if somebody writes there meanwhile, what goes away is left out, and the content of files is cut or
 *               padded to the size that they had when they were opened
 */
export function* diffTree(rootFd: number, options: DiffOptions): Generator<Buffer, void, undefined> {
  const isLayer = options.kind === 'layer'
  const time = options.exactTimes === true ? (exact: bigint) => exact : wholeSeconds
  const seen = options.seen ?? ((entry: TarEntry) => entry)
  yield* describeRoot(rootFd, isLayer, seen)
  const links = new Map<bigint, Buffer>()
  for (const walked of walkTree(rootFd)) {
    const { stats, name, path, parentFd } = walked
    if (stats.isSocket()) continue
    if (isLayer && isWhiteout(stats)) {
      yield writeEntry(newEntry('file', joinComponents([...path.slice(0, -1), Buffer.concat([whiteoutPrefix, name])]), { mode: 0, mtime: time(stats.mtimeNs) }))
      continue
    }
    const entryPath = joinComponents(path)
    const first = stats.nlink > 1n && !stats.isDirectory() ? links.get(stats.ino) : undefined
    using file: Descriptor | undefined = stats.isFile() && first === undefined ? ifThere(() => openFile(parentFd, name)) : undefined
    // By now another one may have the name; what is written is described.
    const now = file === undefined ? stats : fstatSync(file.fd, { bigint: true })
    const described = ifThere(() => describe({ ...walked, stats: now }, entryPath))
    if (described === undefined) continue
    const entry = seen({ ...described, mtime: time(now.mtimeNs) })
    if (first !== undefined) {
      // With attributes: who applies the entry's owner to the file takes its capability away, as Docker does.
      yield writeEntry({ ...entry, type: 'hardlink', size: 0, linkPath: first, deviceMajor: 0, deviceMinor: 0 })
      continue
    }
    if (entry.type === 'file') {
      if (file === undefined) continue
      if (now.nlink > 1n) links.set(now.ino, entryPath)
      yield* writeContent(file.fd, entry)
      continue
    }
    if (stats.nlink > 1n && !stats.isDirectory()) links.set(stats.ino, entryPath)
    yield writeEntry(entry)
    if (isLayer && entry.type === 'directory' && isOpaque(procChild(parentFd, name))) yield opaqueEntry([...path], stats)
  }
  yield endOfArchive
}

/** Whether a file of an upper directory takes away the lower one of its name. */
export function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n
}

/** Whether a directory of an upper directory hides all that lower ones have in it. */
export function isOpaque(path: Buffer | string): boolean {
  return getXattr(path, opaqueXattr)?.toString('latin1') === 'y'
}

/** The root's own entry, where it is not what extraction gives anyhow. */
function* describeRoot(rootFd: number, isLayer: boolean, seen: (entry: TarEntry) => TarEntry): Generator<Buffer, void, undefined> {
  const stats = fstatSync(rootFd, { bigint: true })
  const entry = seen(newEntry('directory', './', { mode: Number(stats.mode & 0o7777n), uid: Number(stats.uid), gid: Number(stats.gid), mtime: wholeSeconds(stats.mtimeNs) }))
  const plain = entry.mode === 0o755 && entry.uid === 0 && entry.gid === 0
  if (!plain) yield writeEntry(entry)
  if (isLayer && isOpaque(`${procPath(rootFd)}/.`)) yield opaqueEntry([], stats)
}

function opaqueEntry(directory: readonly Buffer[], stats: BigIntStats): Buffer {
  return writeEntry(newEntry('file', joinComponents([...directory, opaqueName]), { mode: 0, mtime: wholeSeconds(stats.mtimeNs) }))
}

function describe({ stats, name, parentFd }: WalkedEntry, path: Buffer): TarEntry {
  const type = typeOf(stats)
  return describeEntry(stats, path, type === 'symlink' ? readlinkat(parentFd, name) : none, type === 'symlink' ? undefined : procChild(parentFd, name))
}

/**
 * The entry of a file.
 * @param path       in the archive, without a slash at the end
 * @param linkPath   of a symbolic link
 * @param attributes a path to the file, not followed, for its extended attributes; without it, it has none
 */
export function describeEntry(stats: BigIntStats, path: Buffer, linkPath: Buffer, attributes: Buffer | string | undefined): TarEntry {
  const type = typeOf(stats)
  const device = type === 'char' || type === 'block' ? splitDevice(stats.rdev) : { major: 0, minor: 0 }
  const xattrs = new Map<string, Buffer>()
  for (const attribute of attributes === undefined ? [] : listXattrs(attributes)) {
    if (attribute !== 'security.capability' && !attribute.startsWith('user.')) continue
    const value = getXattr(attributes as Buffer | string, Buffer.from(attribute, 'latin1'))
    if (value !== undefined) xattrs.set(attribute, value)
  }
  return {
    type,
    path: type === 'directory' ? Buffer.concat([path, slash]) : path,
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    size: type === 'file' ? Number(stats.size) : 0,
    mtime: wholeSeconds(stats.mtimeNs),
    linkPath,
    userName: none,
    groupName: none,
    deviceMajor: device.major,
    deviceMinor: device.minor,
    xattrs,
  }
}

/** @returns undefined when it is no regular file any more */
function openFile(parentFd: number, name: Buffer): Descriptor | undefined {
  // Not blocking: should a FIFO have taken its place, it is noticed below.
  const file = openChild(parentFd, name, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  if (fstatSync(file.fd).isFile()) return file
  file.close()
  return undefined
}

/** The pieces of a regular file's entry: as many bytes as its header promises, whatever the file has by now. */
export function* writeContent(fd: number, entry: TarEntry): Generator<Buffer, void, undefined> {
  yield writeEntry(entry)
  for (let done = 0; done < entry.size; ) {
    const piece = Buffer.allocUnsafe(Math.min(readSize, entry.size - done))
    const count = readSync(fd, piece, 0, piece.length, done)
    // Cut meanwhile: the header has promised its size.
    if (count === 0) piece.fill(0)
    const length = count === 0 ? piece.length : count
    yield piece.subarray(0, length)
    done += length
  }
  yield padding(entry.size)
}

function typeOf(stats: BigIntStats): EntryType {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  if (stats.isSymbolicLink()) return 'symlink'
  if (stats.isFIFO()) return 'fifo'
  return stats.isCharacterDevice() ? 'char' : 'block'
}

function wholeSeconds(nanoseconds: bigint): bigint {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  return nanoseconds - rest
}

const slash = Buffer.from('/')
const none = Buffer.alloc(0)
