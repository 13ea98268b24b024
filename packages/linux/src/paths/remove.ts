import { constants, fstatSync } from 'node:fs'
import { Errno } from '../errno.ts'
import { renameat, rmdirat, unlinkIfThere } from '../file-at.ts'
import { type PathBytes } from '../c-string.ts'
import { O_PATH } from '../openat2.ts'
import { failedWith } from '../syscall-error.ts'
import { listDirectory } from './list.ts'
import { openChild } from './open.ts'

/** Levels that are walked with a descriptor each; what lies deeper is moved up first. */
const maxDepth = 64

/**
 * Removes a name and everything below it (`rm -rf`), through descriptors: no link is followed and no mount is entered (EXDEV).
 * A tree of any depth is removed with few descriptors: what lies deep is moved to the top and removed from there.
 * @param dirFd the directory that holds it, on a file system where nobody else works in the tree meanwhile
 * @param name  what to remove; nothing happens when it does not exist
 */
export function removeTree(dirFd: number, name: PathBytes): void {
  let moved = 0
  const pending: PathBytes[] = [name]
  const moveUp = (parentFd: number, child: Buffer): void => {
    const top = `.removed-${process.pid}-${moved++}-${Date.now()}`
    renameat(parentFd, child, dirFd, top)
    pending.push(top)
  }
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) remove(dirFd, next, 0, moveUp)
}

function remove(parentFd: number, name: PathBytes, depth: number, moveUp: (parentFd: number, child: Buffer) => void): void {
  try {
    unlinkIfThere(parentFd, name)
    return
  } catch (error) {
    // EPERM: an immutable file, or a directory as some file systems (and POSIX) have it.
    const directory = failedWith(error, Errno.EISDIR) || (failedWith(error, Errno.EPERM) && isDirectory(parentFd, name))
    if (!directory) throw error
  }
  {
    using directory = openChild(parentFd, name, O_PATH | constants.O_DIRECTORY)
    for (const child of listDirectory(directory.fd)) {
      if (depth >= maxDepth && isDirectory(directory.fd, child)) moveUp(directory.fd, child)
      else remove(directory.fd, child, depth + 1, moveUp)
    }
  }
  rmdirat(parentFd, name)
}

function isDirectory(dirFd: number, name: PathBytes): boolean {
  using entry = openChild(dirFd, name, O_PATH)
  return fstatSync(entry.fd).isDirectory()
}
