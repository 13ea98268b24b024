import { walkTree } from './walk.ts'

/**
 * Bytes that a tree's files have, as Docker counts them: by their size, several names of one file once, directories not at all.
 * @param rootFd the tree's directory, O_PATH is enough
 */
export function treeUsage(rootFd: number): number {
  const linked = new Set<bigint>()
  let total = 0
  for (const { stats } of walkTree(rootFd)) {
    if (stats.isDirectory()) continue
    if (stats.nlink > 1n) {
      if (linked.has(stats.ino)) continue
      linked.add(stats.ino)
    }
    total += Number(stats.size)
  }
  return total
}
