import { constants, type BigIntStats } from 'node:fs'
import { openInRoot, openRoot, procChild } from '@engine/linux/paths'
import { isOpaque, isWhiteout } from './diff.ts'
import { joinComponents } from './entry-path.ts'
import { findInLayers, listInLayers } from './lower.ts'
import { walkTree } from './walk.ts'

/** One path of `docker diff`; kinds as its API has them: 0 modified, 1 added, 2 deleted. */
export interface Change {
  /** Absolute in the container, as text. */
  readonly path: string
  readonly kind: 0 | 1 | 2
}

/**
 * What an upper directory changes of the layers below it, sorted by path. Directories count as modified when something in them is.
 * Synchronous: runs in a worker.
 * @param upper  path of the upper directory
 * @param lowers paths of the layers' directories, topmost first
 */
export function layerChanges(upper: string, lowers: readonly string[]): Change[] {
  using stack = new DisposableStack()
  const upperFd = stack.use(openRoot(upper)).fd
  const lowerFds = lowers.map((lower) => stack.use(openRoot(lower)).fd)
  const changes: Change[] = []
  const add = (path: readonly Buffer[], kind: Change['kind']): void => void changes.push({ path: `/${joinComponents(path).toString()}`, kind })
  for (const { path, name, parentFd, stats } of walkTree(upperFd)) {
    using below = findInLayers(lowerFds, path)
    if (isWhiteout(stats)) {
      if (below !== undefined) add(path, 2)
      continue
    }
    if (below === undefined) {
      add(path, 1)
      continue
    }
    if (!sameDirectory(stats, below.stats)) add(path, 0)
    if (!stats.isDirectory() || !below.stats.isDirectory() || !isOpaque(procChild(parentFd, name))) continue
    using directory = openInRoot(parentFd, name, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    for (const lowerName of listInLayers(lowerFds, path)) {
      using kept = findInLayers([directory.fd], [lowerName])
      if (kept === undefined) add([...path, lowerName], 2)
    }
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** A directory that was only copied up, because something below it changed, has all of the lower one's attributes, its time included. */
function sameDirectory(upper: BigIntStats, lower: BigIntStats): boolean {
  return upper.isDirectory() && lower.isDirectory() && upper.mode === lower.mode && upper.uid === lower.uid && upper.gid === lower.gid && upper.mtimeNs === lower.mtimeNs
}
