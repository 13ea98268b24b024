import { constants, fstatSync, type BigIntStats } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { openRoot, procPath, reopen, openChild, O_PATH, procChild } from '@engine/linux/paths'
import { readlinkat } from '@engine/linux/file-at'
import { describeEntry } from './diff.ts'
import { joinComponents } from './entry-path.ts'
import { defaultLimits } from './tar/entry.ts'
import { TreeWriter } from './tree-writer.ts'
import { walkTree } from './walk.ts'

/**
 * Copies a tree into an empty directory: owners, modes, times, attributes, hard links, devices; files share their blocks where the
 * file system can. Somebody may be writing there: what goes away meanwhile is left out. Synchronous: runs in a worker.
 */
export function cloneTree(from: string, to: string, signal: AbortSignal): void {
  using source = openRoot(from)
  using target = openRoot(to)
  using writer = new TreeWriter(target.fd, { whiteouts: false, devices: true, limits: defaultLimits })
  const links = new Map<bigint, Buffer>()
  const top = fstatSync(source.fd, { bigint: true })
  writer.entry({ ...describeEntry(top, dot, none, `${procPath(source.fd)}/.`), mtime: top.mtimeNs })
  for (const { path, name, parentFd, stats } of walkTree(source.fd)) {
    if (signal.aborted) throw new EngineError('cancelled', 'cancelled')
    if (stats.isSocket()) continue
    try {
      cloneOne(writer, joinComponents(path), name, parentFd, stats, links)
    } catch (error) {
      if (!failedWith(error, Errno.ENOENT)) throw error
    }
  }
  writer.end()
}

function cloneOne(writer: TreeWriter, path: Buffer, name: Buffer, parentFd: number, stats: BigIntStats, links: Map<bigint, Buffer>): void {
  const isLink = stats.isSymbolicLink()
  const entry = { ...describeEntry(stats, path, isLink ? readlinkat(parentFd, name) : none, isLink ? undefined : procChild(parentFd, name)), mtime: stats.mtimeNs }
  if (stats.nlink > 1n && !stats.isDirectory()) {
    const first = links.get(stats.ino)
    if (first !== undefined) return writeWhole(writer, { ...entry, type: 'hardlink', size: 0, linkPath: first })
    links.set(stats.ino, path)
  }
  if (entry.type !== 'file') return writeWhole(writer, entry)
  using found = openChild(parentFd, name, O_PATH)
  if (!fstatSync(found.fd).isFile()) return
  using file = reopen(found.fd, constants.O_RDONLY | constants.O_NOCTTY)
  writer.copyFile({ ...entry, size: fstatSync(file.fd).size }, file.fd)
}

function writeWhole(writer: TreeWriter, entry: Parameters<TreeWriter['entry']>[0]): void {
  writer.entry(entry)
  writer.finish()
}

const dot = Buffer.from('./')
const none = Buffer.alloc(0)
