import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type BigIntStats, type Dirent, type Stats } from 'node:fs'
import { join } from 'node:path'
import type { Ignore } from './dockerignore.ts'
import { tarEnd, tarHeader, tarPadding, type TarEntry } from './tar.ts'
import { loadXattrs, type ReadXattrs } from './xattrs.ts'

/** Content is read and sent in pieces of this many bytes. */
const PIECE = 256 * 1024

/** Files that stand in for, or are added to, those of the directory. */
export interface ExtraFile {
  readonly path: string
  readonly content: Buffer
}

/**
 * A directory as a tar archive, in the order of names, piece by piece: nothing but one piece is in memory.
 * Sockets are left out; several names of one file become hard links.
 */
export async function* tarDirectory(root: string, ignore: Ignore, extra: readonly ExtraFile[] = []): AsyncGenerator<Buffer> {
  const xattrs = await loadXattrs()
  const seen = new Map<string, string>()
  const replaced = new Set(extra.map(({ path }) => path))
  for (const path of walk(root, '', ignore)) {
    if (!replaced.has(path)) yield* tarFile(join(root, path), path, lstatSync(join(root, path)), { seen, xattrs })
  }
  for (const file of extra) yield* extraFile(file)
  yield tarEnd()
}

/** Entries of a directory up to which it is described; the description is one JSON body. */
const MANIFEST_ENTRIES = 30_000

/** What is needed to send only what has changed. */
export interface Manifest {
  readonly entries: readonly (readonly [path: string, kind: 'f' | 'd' | 'l', token: string])[]
  /** The entries of these numbers as a tar. */
  tar(numbers: readonly number[]): AsyncGenerator<Buffer>
}

/**
 * Describes a directory by names and tokens: what has the same token has not changed (a change of a file sets its ctime).
 * @returns undefined when it has what only a whole archive can tell: several names of one file, devices, or very many files
 */
export function describeDirectory(root: string, ignore: Ignore, extra: readonly ExtraFile[]): Manifest | undefined {
  const replaced = new Map(extra.map((file) => [file.path, file]))
  const found: (readonly [path: string, stats: BigIntStats | undefined])[] = []
  const entries: (readonly [string, 'f' | 'd' | 'l', string])[] = []
  for (const path of walk(root, '', ignore)) {
    if (replaced.has(path)) continue
    // Some thousand of them: join() would take as long as the call.
    const stats = lstatSync(`${root}/${path}`, { bigint: true })
    if (stats.isSocket()) continue
    const kind = stats.isFile() ? 'f' : stats.isDirectory() ? 'd' : stats.isSymbolicLink() ? 'l' : undefined
    if (kind === undefined || (kind === 'f' && stats.nlink > 1n) || entries.length >= MANIFEST_ENTRIES) return undefined
    // A directory's inode changes with nothing that matters; its ctime does with its attributes.
    entries.push([path, kind, kind === 'd' ? `${stats.mode}:${stats.mtimeNs}:${stats.ctimeNs}` : `${stats.mode}:${stats.size}:${stats.ctimeNs}:${stats.ino}`])
    found.push([path, stats])
  }
  for (const { path, content } of extra) {
    entries.push([path, 'f', createHash('sha256').update(content).digest('hex')])
    found.push([path, undefined])
  }
  const tar = async function* (numbers: readonly number[]): AsyncGenerator<Buffer> {
    if (numbers.length === 0) return
    const xattrs = await loadXattrs()
    for (const number of numbers) {
      const [path, stats] = found[number] ?? []
      const file = path === undefined ? undefined : replaced.get(path)
      if (file !== undefined) yield* extraFile(file)
      else if (path !== undefined && stats !== undefined) yield* tarFile(join(root, path), path, lstatSync(join(root, path)), { seen: new Map(), xattrs })
    }
    yield tarEnd()
  }
  return { entries, tar }
}

function* extraFile({ path, content }: ExtraFile): Generator<Buffer> {
  yield tarHeader({ path, type: 'file', mode: 0o600, size: content.length, modified: 0 })
  yield content
  yield tarPadding(content.length)
}

function* walk(root: string, directory: string, ignore: Ignore): Generator<string> {
  for (const entry of readdirSync(join(root, directory), { withFileTypes: true }).sort(byName)) {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`
    const excluded = ignore.excludes(path)
    if (!excluded) yield path
    if (entry.isDirectory() && (!excluded || ignore.mayReturn(path))) yield* walk(root, path, ignore)
  }
}

/** By bytes of UTF-8. Code units give the same order, but for what is beyond the basic plane. */
function byName({ name: a }: Dirent, { name: b }: Dirent): number {
  // eslint-disable-next-line no-control-regex
  return /^[\0-\x7f]*$/.test(a) && /^[\0-\x7f]*$/.test(b) ? (a < b ? -1 : 1) : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** What an archive has so far, and what its entries tell. */
export interface Archive {
  /** Files of several names, by identity: the path that each had first. */
  readonly seen: Map<string, string>
  /** Whose everything is; root's without it. */
  readonly owner?: NonNullable<TarEntry['owner']>
  /** Without it extended attributes are left out. */
  readonly xattrs?: ReadXattrs
}

/**
 * One file's entry.
 * @param path in the archive
 */
export function* tarFile(full: string, path: string, stats: Stats, { seen, owner, xattrs }: Archive): Generator<Buffer> {
  const plain = { mode: stats.mode & 0o7777, modified: Math.trunc(stats.mtimeMs / 1000), size: 0, ...(owner === undefined ? {} : { owner }) }
  const own = stats.isDirectory() || stats.isFile() ? xattrs?.(full) ?? [] : []
  const common = own.length === 0 ? plain : { ...plain, xattrs: own }
  if (stats.isDirectory()) return yield tarHeader({ ...common, path: `${path}/`, type: 'directory' })
  if (stats.isSymbolicLink()) return yield tarHeader({ ...common, path, type: 'symlink', mode: 0o777, linkTarget: readlinkSync(full) })
  if (stats.isSocket()) return
  if (stats.nlink > 1) {
    const identity = `${stats.dev}:${stats.ino}`
    const first = seen.get(identity)
    if (first !== undefined) return yield tarHeader({ ...plain, path, type: 'hardlink', linkTarget: first })
    seen.set(identity, path)
  }
  if (!stats.isFile()) return yield tarHeader({ ...common, path, ...special(stats) })
  yield* tarContent(full, path, common)
}

function special(stats: Stats): Pick<TarEntry, 'type' | 'device'> {
  if (stats.isFIFO()) return { type: 'fifo' }
  // makedev(3): the minor's low byte and the major's twelve bits are interleaved with their high parts.
  const device = { major: (stats.rdev >> 8) & 0xfff, minor: (stats.rdev & 0xff) | ((stats.rdev >> 12) & 0xfff00) }
  return { type: stats.isBlockDevice() ? 'block' : 'character', device }
}

function* tarContent(full: string, path: string, common: Pick<TarEntry, 'mode' | 'modified' | 'owner' | 'xattrs'>): Generator<Buffer> {
  const descriptor = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const { size } = fstatSync(descriptor)
    yield tarHeader({ ...common, path, type: 'file', size })
    for (let left = size; left > 0;) {
      const piece = Buffer.allocUnsafe(Math.min(left, PIECE))
      const count = readSync(descriptor, piece, 0, piece.length, null)
      if (count === 0) throw new Error(`${path}: the file became shorter while it was read`)
      yield piece.subarray(0, count)
      left -= count
    }
    yield tarPadding(size)
  } finally {
    closeSync(descriptor)
  }
}
