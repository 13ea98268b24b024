import { constants, fstatSync, readSync, type BigIntStats } from 'node:fs'
import { EngineError } from '@engine/linux'
import { readlinkat, splitDevice } from '@engine/linux/file-at'
import { openChild, procChild, procPath } from '@engine/linux/paths'
import { getXattr, listXattrs } from '@engine/linux/xattr'
import { joinComponents } from './entry-path.ts'
import type { EntryType, TarEntry } from './tar/entry.ts'
import { endOfArchive, newEntry, padding, writeEntry } from './tar/writer.ts'
import { walkTree, type WalkedEntry } from './walk.ts'
import { opaqueName, opaqueXattr, whiteoutPrefix } from './whiteout.ts'

export interface DiffOptions {
  /** `layer`: an overlay's upper directory, whiteouts become `.wh.` files. `archive`: a plain tree. */
  readonly kind: 'layer' | 'archive'
  /** Whether times keep their fractions of a second; layers have whole seconds, as everybody's do. Default false. */
  readonly exactTimes?: boolean
}

const readSize = 1 << 20

/**
 * The tar of a tree, piece by piece. The same tree always gives the same bytes: names are sorted, times are whole seconds, owners are
 * numbers only, and of the extended attributes there are security.capability and user.*. Sockets are left out.
 * Synchronous: runs in a worker.
 * @param rootFd the tree's directory; nobody writes there meanwhile, or the content of files is cut or padded to the size they had
 */
export function* diffTree(rootFd: number, options: DiffOptions): Generator<Buffer, void, undefined> {
  const isLayer = options.kind === 'layer'
  const time = options.exactTimes === true ? (exact: bigint) => exact : wholeSeconds
  yield* describeRoot(rootFd, isLayer)
  const links = new Map<bigint, Buffer>()
  for (const walked of walkTree(rootFd)) {
    const { stats, name, path, parentFd } = walked
    if (stats.isSocket()) continue
    if (isLayer && isWhiteout(stats)) {
      yield writeEntry(newEntry('file', joinComponents([...path.slice(0, -1), Buffer.concat([whiteoutPrefix, name])]), { mode: 0, mtime: time(stats.mtimeNs) }))
      continue
    }
    const entryPath = joinComponents(path)
    if (stats.nlink > 1n && !stats.isDirectory()) {
      const first = links.get(stats.ino)
      if (first !== undefined) {
        // With attributes: who applies the entry's owner to the file takes its capability away, as Docker does.
        yield writeEntry({ ...describe(walked, entryPath), type: 'hardlink', size: 0, mtime: time(stats.mtimeNs), linkPath: first, deviceMajor: 0, deviceMinor: 0 })
        continue
      }
      links.set(stats.ino, entryPath)
    }
    const entry = { ...describe(walked, entryPath), mtime: time(stats.mtimeNs) }
    if (entry.type === 'file') {
      yield* writeFile(parentFd, name, entry)
      continue
    }
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
function* describeRoot(rootFd: number, isLayer: boolean): Generator<Buffer, void, undefined> {
  const stats = fstatSync(rootFd, { bigint: true })
  const plain = (stats.mode & 0o7777n) === 0o755n && stats.uid === 0n && stats.gid === 0n
  if (!plain) {
    yield writeEntry(newEntry('directory', './', { mode: Number(stats.mode & 0o7777n), uid: Number(stats.uid), gid: Number(stats.gid), mtime: wholeSeconds(stats.mtimeNs) }))
  }
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

function* writeFile(parentFd: number, name: Buffer, entry: TarEntry): Generator<Buffer, void, undefined> {
  // Not blocking: should a FIFO have taken its place, it is noticed below.
  using file = openChild(parentFd, name, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  if (!fstatSync(file.fd).isFile()) throw new EngineError('conflict', `${entry.path.toString()} changed while it was read`)
  yield* writeContent(file.fd, entry)
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
