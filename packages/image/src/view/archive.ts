import { constants, fstatSync, type BigIntStats } from 'node:fs'
import { Errno, failedWith } from '@engine/linux'
import { readlinkat } from '@engine/linux/file-at'
import { listDirectory, openBeneath, O_PATH, procChild, procPath, reopen } from '@engine/linux/paths'
import { describeEntry, writeContent } from '../layer/diff.ts'
import { joinComponents } from '../layer/entry-path.ts'
import { endOfArchive, writeEntry } from '../layer/tar/writer.ts'
import { seenInContainer } from './ids.ts'
import type { View } from './view.ts'

/** One file of a view while it is walked. */
interface Entry {
  /** O_PATH */
  readonly fd: number
  readonly stats: BigIntStats
  readonly tree: number
  /** Its path in the archive. */
  readonly path: Buffer
  /** A path to it for its extended attributes. */
  readonly attributes: Buffer | string | undefined
}

/**
 * The tar of what a container has at a path, piece by piece: volumes as it sees them, links themselves, sockets left out.
 * Nothing waits for the container: what it takes away meanwhile is not in the tar.
 * @param path resolved without following a link at its end, unless it names a directory (`/x/`, `/x/.`)
 * @param name what the first entry is called: `x`; for a directory's contents `.`
 */
export function* archiveView(view: View, path: Buffer, name: Buffer): Generator<Buffer, void, undefined> {
  using place = view.resolve(path, false)
  const attributes = place.stats.isDirectory() ? `${procPath(place.fd)}/.` : undefined
  yield* archive(view, { fd: place.fd, stats: place.stats, tree: place.tree, path: name, attributes }, new Map())
  yield endOfArchive
}

function* archive(view: View, entry: Entry, links: Map<string, Buffer>): Generator<Buffer, void, undefined> {
  const { stats, tree, path } = entry
  if (stats.isSocket()) return
  const linkPath = stats.isSymbolicLink() ? readlinkat(entry.fd, '') : none
  const described = seenInContainer(describeEntry(stats, path.equals(slash) ? none : path, linkPath, stats.isSymbolicLink() ? undefined : entry.attributes), view.ids)
  if (stats.nlink > 1n && !stats.isDirectory()) {
    const key = `${tree}:${stats.dev}:${stats.ino}`
    const first = links.get(key)
    if (first !== undefined) {
      yield writeEntry({ ...described, type: 'hardlink', size: 0, linkPath: first, deviceMajor: 0, deviceMinor: 0 })
      return
    }
    links.set(key, path)
  }
  if (stats.isFile()) {
    // The very file that was looked at: no device or FIFO can have taken its place.
    using file = reopen(entry.fd, constants.O_RDONLY | constants.O_NOCTTY)
    yield* writeContent(file.fd, described)
    return
  }
  // Without a name it is the root of the tar, which needs no entry.
  if (path.length > 0) yield writeEntry(described)
  if (stats.isDirectory()) yield* archiveDirectory(view, entry, links)
}

function* archiveDirectory(view: View, { fd, tree, path }: Entry, links: Map<string, Buffer>): Generator<Buffer, void, undefined> {
  for (const name of listDirectory(fd)) {
    try {
      using child = openBeneath(fd, name, O_PATH | constants.O_NOFOLLOW)
      const stats = fstatSync(child.fd, { bigint: true })
      const below = path.length === 0 ? name : path.equals(slash) ? Buffer.concat([slash, name]) : joinComponents([path, name])
      const cover = view.coverOf(tree, stats)
      if (cover === undefined) {
        yield* archive(view, { fd: child.fd, stats, tree, path: below, attributes: procChild(fd, name) }, links)
        continue
      }
      const covering = fstatSync(cover.fd, { bigint: true })
      const attributes = covering.isDirectory() ? `${procPath(cover.fd)}/.` : undefined
      yield* archive(view, { fd: cover.fd, stats: covering, tree: cover.tree, path: below, attributes }, links)
    } catch (error) {
      if (!failedWith(error, Errno.ENOENT)) throw error
    }
  }
}

const none = Buffer.alloc(0)
const slash = Buffer.from('/')
