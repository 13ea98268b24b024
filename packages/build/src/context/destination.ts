import { constants, fstatSync, readlinkSync } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { readlinkat } from '@engine/linux/file-at'
import { mkdirAllInRoot, openChild, openInRoot, O_PATH, procPath, splitPath, type Descriptor } from '@engine/linux/paths'
import { cleanPath, joinPath } from '../filepath.ts'

/** Owner of what is made. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** What directories get that are made above a destination, or as it. */
export interface MadeDirectories {
  /** Undefined is root. */
  readonly owner: Owner | undefined
  readonly mode: number
}

/** Where COPY and ADD put things, relative to the working directory; a slash at the end (it must be a directory) is kept. */
export function destinationPath(workingDirectory: string, destination: string): string {
  if (destination.startsWith('/')) return destination
  const path = joinPath('/', workingDirectory, destination)
  return destination.endsWith('/') && !path.endsWith('/') ? `${path}/` : path
}

/** Whether a path of a root leads to a directory that is there. */
export function isDirectory(rootFd: number, path: string): boolean {
  try {
    using found = openInRoot(rootFd, cleanPath(path), O_PATH)
    return fstatSync(found.fd).isDirectory()
  } catch (error) {
    if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR)) return false
    throw error
  }
}

/** A name that a file is to get, and the directory for it. */
export interface Place extends Disposable {
  readonly directory: Descriptor
  readonly name: string
}

/** What the kernel allows in one resolution (MAXSYMLINKS). */
const maxLinks = 40

/**
 * Finds the place of a file: makes the directories above it, and follows a symbolic link of its name inside the root, so that
 * the link stays and what it leads to is written.
 * @param made owner and mode of the directories that are made
 * @throws SyscallError ENOTDIR when something above it is no directory
 */
export function findPlace(rootFd: number, path: string, made: MadeDirectories): Place {
  const root = readlinkSync(procPath(rootFd))
  let target = cleanPath(path)
  for (let links = 0; links < maxLinks; links++) {
    const { parent, name } = splitPath(target) as { parent: string; name: string }
    const directory = mkdirAllInRoot(rootFd, parent, made.mode, made.owner)
    const link = linkAt(directory.fd, name)
    if (link === undefined) return { directory, name, [Symbol.dispose]: () => directory.close() }
    // The directory's own path inside the root, of which no part is a link any more.
    const above = readlinkSync(procPath(directory.fd)).slice(root.length)
    directory.close()
    target = link.startsWith('/') ? link : `${above}/${link}`
    if (cleanPath(target) === '/') throw new EngineError('invalid-argument', `${path}: is a directory`)
    target = target.replace(/\/+$/, '')
  }
  throw new EngineError('invalid-argument', `${path}: too many levels of symbolic links`)
}

function linkAt(dirFd: number, name: string): string | undefined {
  try {
    using found = openChild(dirFd, name, O_PATH | constants.O_NOFOLLOW)
    return fstatSync(found.fd).isSymbolicLink() ? readlinkat(found.fd, '').toString() : undefined
  } catch (error) {
    if (failedWith(error, Errno.ENOENT)) return undefined
    throw error
  }
}
