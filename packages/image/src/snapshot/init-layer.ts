import { constants, fchownSync, fchmodSync } from 'node:fs'
import { chownat, futimens, mkdirat, symlinkat } from '@engine/linux/file-at'
import { chmodDescriptor, openChild, openInRoot, openRoot, O_PATH, reopen } from '@engine/linux/paths'
import { joinComponents, splitEntryPath } from '../layer/entry-path.ts'
import { findInLayers } from '../layer/lower.ts'

/** What Docker puts into every container beside the image's files (moby, daemon/initlayer/setup_unix.go): mount points mostly. */
const entries: readonly (readonly [path: string, kind: 'directory' | 'file' | 'symlink', target?: string])[] = [
  ['.dockerenv', 'file'],
  ['dev/console', 'file'],
  ['dev/pts', 'directory'],
  ['dev/shm', 'directory'],
  ['etc/hostname', 'file'],
  ['etc/hosts', 'file'],
  ['etc/mtab', 'symlink', '/proc/mounts'],
  ['etc/resolv.conf', 'file'],
  ['proc', 'directory'],
  ['sys', 'directory'],
]

/**
 * Fills an empty directory with what the image's layers lack of that. Directories that the image has keep their owner, mode and time.
 * An image whose /etc or /dev is a link is left as it is.
 * @param lowers paths of the image's layers, topmost first
 */
export function makeInitLayer(diff: string, lowers: readonly string[]): void {
  using stack = new DisposableStack()
  const root = stack.use(openRoot(diff)).fd
  const lowerFds = lowers.map((lower) => stack.use(openRoot(lower)).fd)
  for (const [path, kind, target = ''] of entries) {
    const components = splitEntryPath(Buffer.from(path), 4)
    using existing = findInLayers(lowerFds, components)
    if (existing !== undefined) continue
    const parent = components.slice(0, -1)
    if (!makeParent(root, lowerFds, parent)) continue
    using directory = openInRoot(root, joinComponents(parent), O_PATH | constants.O_DIRECTORY)
    const name = components.at(-1) as Buffer
    if (kind === 'symlink') symlinkat(target, directory.fd, name)
    else if (kind === 'directory') makeDirectory(directory.fd, name)
    else {
      using file = openChild(directory.fd, name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o755)
      fchmodSync(file.fd, 0o755)
      fchownSync(file.fd, 0, 0)
    }
  }
  for (const path of ['dev', 'etc', '']) keepTime(root, lowerFds, path)
}

/** Makes a directory's double in this layer; false when the image has something else there. */
function makeParent(root: number, lowerFds: readonly number[], parent: readonly Buffer[]): boolean {
  for (let depth = 1; depth <= parent.length; depth++) {
    const path = parent.slice(0, depth)
    using below = findInLayers(lowerFds, path)
    if (below !== undefined && !below.stats.isDirectory()) return false
    using above = openInRoot(root, joinComponents(path.slice(0, -1)), O_PATH | constants.O_DIRECTORY)
    using made = openExisting(above.fd, path.at(-1) as Buffer) ?? makeDirectory(above.fd, path.at(-1) as Buffer)
    if (below === undefined) continue
    chownat(made.fd, '', Number(below.stats.uid), Number(below.stats.gid))
    chmodDescriptor(made.fd, Number(below.stats.mode & 0o7777n))
  }
  return true
}

function openExisting(dirFd: number, name: Buffer): ReturnType<typeof openChild> | undefined {
  using found = findInLayers([dirFd], [name])
  return found === undefined ? undefined : openChild(dirFd, name, O_PATH | constants.O_DIRECTORY)
}

function makeDirectory(dirFd: number, name: Buffer): ReturnType<typeof openChild> {
  mkdirat(dirFd, name, 0o755)
  const made = openChild(dirFd, name, O_PATH | constants.O_DIRECTORY)
  chmodDescriptor(made.fd, 0o755)
  return made
}

function keepTime(root: number, lowerFds: readonly number[], path: string): void {
  const components = splitEntryPath(Buffer.from(path), 4)
  using here = findInLayers([root], components)
  using below = findInLayers(lowerFds, components)
  if (here === undefined || below === undefined || !here.stats.isDirectory()) return
  using directory = reopen(here.descriptor.fd, constants.O_RDONLY | constants.O_DIRECTORY)
  futimens(directory.fd, below.stats.mtimeNs, below.stats.mtimeNs)
}
