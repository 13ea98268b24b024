import { createHash } from 'node:crypto'
import { closeSync, fstatSync, lstatSync, openSync, readSync, readdirSync, readlinkSync, type BigIntStats } from 'node:fs'
import { join } from 'node:path'
import { getXattr, listXattrs } from '@engine/linux/xattr'

/**
 * What the kernel says of every file of a tree: type, mode, owner, time to the nanosecond, size, device, extended attributes, content,
 * and which names are one file. By path, one line each.
 */
export function describeTree(root: string): Map<string, string> {
  const described = new Map<string, string>()
  const files = new Map<string, string>()
  const visit = (path: string): void => {
    const full = join(root, path)
    const stats = lstatSync(full, { bigint: true })
    const identity = `${stats.dev}:${stats.ino}`
    const first = stats.isDirectory() ? undefined : files.get(identity)
    if (first === undefined) files.set(identity, path)
    described.set(path, first === undefined ? describe(full, stats) : `the same file as ${first}`)
    if (stats.isDirectory()) for (const name of readdirSync(full).sort()) visit(`${path}/${name}`)
  }
  visit('.')
  return described
}

/** In what trees differ, path by path. */
export function treeDifferences(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter((path) => one.get(path) !== other.get(path)).sort().map((path) => `${JSON.stringify(path)}\n  ${one.get(path) ?? 'is not there'}\n  ${other.get(path) ?? 'is not there'}`)
}

function describe(path: string, stats: BigIntStats): string {
  const xattrs = listXattrs(path).filter((name) => name !== 'security.selinux').map((name) => `${name}=${getXattr(path, Buffer.from(name, 'latin1'))?.toString('hex') ?? ''}`)
  const own = stats.isSymbolicLink() ? [readlinkSync(path)] : stats.isFile() ? [stats.size, contentDigest(path)] : stats.isDirectory() ? [] : [stats.rdev]
  return [stats.mode.toString(8), `${stats.uid}:${stats.gid}`, stats.mtimeNs, ...own, ...xattrs].join(' ')
}

function contentDigest(path: string): string {
  const file = openSync(path, 'r')
  try {
    const hash = createHash('sha256')
    const piece = Buffer.allocUnsafe(Math.min(1 << 20, fstatSync(file).size + 1))
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece)) hash.update(piece.subarray(0, count))
    return hash.digest('hex')
  } finally {
    closeSync(file)
  }
}
