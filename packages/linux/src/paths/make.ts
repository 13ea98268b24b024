import { constants } from 'node:fs'
import { EngineError } from '../error.ts'
import { Errno } from '../errno.ts'
import { chownat, mkdirat, readlinkat } from '../file-at.ts'
import { shownPath, type PathBytes } from '../c-string.ts'
import type { Descriptor } from '../descriptor.ts'
import { O_PATH } from '../openat2.ts'
import { failedWith } from '../syscall-error.ts'
import { chmodDescriptor } from './chmod.ts'
import { openChild, openInRoot, openRoot, procPath } from './open.ts'

const directoryFlags = O_PATH | constants.O_DIRECTORY
/** What the kernel allows in one resolution (MAXSYMLINKS). */
const maxLinks = 40

/** Who owns the directories that are made; root without it. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * Makes a directory inside a root with all that is missing above it (`mkdir -p` under {@link openInRoot}'s rules), and opens it.
 * A dangling link on the way has its target made, inside the root. What exists already keeps its mode and owner.
 * @param mode  permission bits of what is made, exact (the umask does not count)
 * @param owner owner of what is made
 * @returns the directory, O_PATH
 * @throws SyscallError ENOTDIR when something on the way is no directory; EngineError invalid-argument for endless links
 */
export function mkdirAllInRoot(rootFd: number, path: PathBytes, mode: number, owner?: Owner): Descriptor {
  let components = split(path)
  // Mostly it is there.
  try {
    return openInRoot(rootFd, components.length === 0 ? '' : join(components), directoryFlags)
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT)) throw error
  }
  let links = 0
  let directory = openRoot(procPath(rootFd))
  for (let at = 0; at < components.length; ) {
    const prefix = join(components.slice(0, at + 1))
    try {
      const next = openInRoot(rootFd, prefix, directoryFlags)
      directory.close()
      directory = next
      at++
      continue
    } catch (error) {
      if (!failedWith(error, Errno.ENOENT)) {
        directory.close()
        throw error
      }
    }
    try {
      const name = components[at] as Buffer
      const target = linkTarget(directory.fd, name)
      if (target === undefined) {
        makeOne(directory.fd, name, mode, owner)
        continue
      }
      if (++links > maxLinks) throw new EngineError('invalid-argument', `too many levels of symbolic links: ${shownPath(path)}`)
      // The kernel resolves `..` after the link's own directory, so nothing is simplified here by text.
      const above = target[0] === 0x2f ? [] : components.slice(0, at)
      components = [...above, ...split(target), ...components.slice(at + 1)]
      directory.close()
      directory = openRoot(procPath(rootFd))
      at = 0
    } catch (error) {
      directory.close()
      throw error
    }
  }
  return directory
}

/** Makes one directory; somebody else having made it meanwhile is as good. */
function makeOne(dirFd: number, name: Buffer, mode: number, owner: Owner | undefined): void {
  try {
    mkdirat(dirFd, name, 0o700)
  } catch (error) {
    if (failedWith(error, Errno.EEXIST)) return
    throw error
  }
  using made = openChild(dirFd, name, directoryFlags)
  if (owner !== undefined) chownat(made.fd, '', owner.uid, owner.gid)
  chmodDescriptor(made.fd, mode)
}

/** The target of a symbolic link, or undefined when there is nothing of that name. */
function linkTarget(dirFd: number, name: Buffer): Buffer | undefined {
  try {
    return readlinkat(dirFd, name)
  } catch (error) {
    // EINVAL: there is something, and no link: made in this very moment by somebody else.
    if (failedWith(error, Errno.ENOENT, Errno.EINVAL)) return undefined
    throw error
  }
}

function split(path: PathBytes): Buffer[] {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path
  const components: Buffer[] = []
  for (let start = 0; start <= bytes.length; ) {
    const slash = bytes.indexOf(0x2f, start)
    const end = slash < 0 ? bytes.length : slash
    const component = bytes.subarray(start, end)
    if (component.length > 0 && !(component.length === 1 && component[0] === 0x2e)) components.push(component)
    start = end + 1
  }
  return components
}

function join(components: readonly Buffer[]): Buffer {
  return Buffer.concat(components.flatMap((component) => [separator, component]))
}

const separator = Buffer.from('/')
