import { createHash } from 'node:crypto'
import { constants, readSync, type BigIntStats } from 'node:fs'
import { readlinkat } from '@engine/linux/file-at'
import { openChild, openRoot } from '@engine/linux/paths'
import { joinComponents } from './entry-path.ts'
import { walkTree } from './walk.ts'

/**
 * The first path, in the order of the trees, in which two layers' directories differ: in what its tar would tell, or in being there.
 * Synchronous: runs in a worker.
 * @returns absolute, as the image has it; undefined when there is none
 */
export function firstDifference(one: string, other: string): string | undefined {
  using a = openRoot(one)
  using b = openRoot(other)
  const left = describeTree(a.fd)
  const right = describeTree(b.fd)
  const differing = [...new Set([...left.keys(), ...right.keys()])].filter((path) => left.get(path) !== right.get(path))
  // A directory's time differs with what is in it: that is told first.
  const files = differing.filter((path) => left.get(path)?.startsWith('d') !== true && right.get(path)?.startsWith('d') !== true)
  const [first] = (files.length > 0 ? files : differing).toSorted()
  return first === undefined ? undefined : `/${first}`
}

function describeTree(rootFd: number): Map<string, string> {
  const tree = new Map<string, string>()
  for (const { path, name, parentFd, stats } of walkTree(rootFd)) tree.set(joinComponents(path).toString(), describe(parentFd, name, stats))
  return tree
}

function describe(parentFd: number, name: Buffer, stats: BigIntStats): string {
  const common = [stats.mode, stats.uid, stats.gid, stats.rdev, stats.mtimeNs / 1_000_000_000n].join(' ')
  if (stats.isDirectory()) return `d ${common}`
  if (stats.isSymbolicLink()) return `l ${common} ${readlinkat(parentFd, name).toString('latin1')}`
  if (!stats.isFile()) return `o ${common}`
  return `f ${common} ${contentDigest(parentFd, name)}`
}

function contentDigest(parentFd: number, name: Buffer): string {
  using file = openChild(parentFd, name, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(1 << 20)
  for (let count = readSync(file.fd, piece); count > 0; count = readSync(file.fd, piece)) hash.update(piece.subarray(0, count))
  return hash.digest('hex')
}
