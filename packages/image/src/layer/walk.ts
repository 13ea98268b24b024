import { constants, lstatSync, type BigIntStats } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { listDirectory, openChild, procChild, O_PATH, type Descriptor } from '@engine/linux/paths'

/** One name of a tree while it is walked. Valid until the walk goes on. */
export interface WalkedEntry {
  /** The components from the tree's root. */
  readonly path: readonly Buffer[]
  readonly name: Buffer
  /** The directory that holds it. */
  readonly parentFd: number
  readonly stats: BigIntStats
}

/** A tree may be deeper than any path is long; a container could make one without end. */
const maxDepth = 4096

/**
 * Walks a tree, names sorted by bytes, directories before what is in them. No link is followed. What is taken away meanwhile is
 * left out.
 * @param rootFd the tree's directory, O_PATH is enough
 */
export function* walkTree(rootFd: number): Generator<WalkedEntry, void, undefined> {
  yield* walk(rootFd, [])
}

function* walk(directoryFd: number, above: readonly Buffer[]): Generator<WalkedEntry, void, undefined> {
  if (above.length > maxDepth) throw new EngineError('invalid-argument', `a directory tree is deeper than ${maxDepth} directories`)
  for (const name of ifThere(() => listDirectory(directoryFd)) ?? []) {
    const stats = lstatSync(procChild(directoryFd, name), { bigint: true, throwIfNoEntry: false })
    if (stats === undefined) continue
    const path = [...above, name]
    yield { path, name, parentFd: directoryFd, stats }
    if (!stats.isDirectory()) continue
    using inside: Descriptor | undefined = ifThere(() => openChild(directoryFd, name, O_PATH | constants.O_DIRECTORY))
    if (inside !== undefined) yield* walk(inside.fd, path)
  }
}

/** Looks at a name of a tree in which somebody may be working; undefined when it is gone, or something else by now. */
export function ifThere<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    // ENXIO: a socket has taken a file's place. Node's own errors have a code.
    if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP, Errno.ENXIO) || (error instanceof Error && 'code' in error && error.code === 'ENOENT')) return undefined
    throw error
  }
}
