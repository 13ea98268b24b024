import { constants } from 'node:fs'
import { AT_FDCWD } from '../at-flags.ts'
import { EngineError } from '../error.ts'
import type { Descriptor } from '../descriptor.ts'
import { O_PATH, openat2, Resolve } from '../openat2.ts'
import { shownPath, type PathBytes } from '../c-string.ts'

const inRoot = Resolve.IN_ROOT | Resolve.NO_MAGICLINKS
const beneath = Resolve.BENEATH | Resolve.NO_MAGICLINKS

/**
 * Opens a directory by a path that is ours (`/var/lib/engine/overlay2/…`), to be the root that hostile paths are resolved in.
 * O_PATH: it can be resolved from and acted on, not read.
 * @throws SyscallError ENOENT, ENOTDIR
 */
export function openRoot(path: PathBytes): Descriptor {
  return openat2(AT_FDCWD, path, O_PATH | constants.O_DIRECTORY, 0)
}

/**
 * Opens a hostile path as a process would whose root directory is `rootFd`: absolute links begin there, `..` stops there,
 * links of /proc that jump are refused (CVE-2018-15664 and its kind). The one way in which the project opens what a
 * container, an archive, a layer or a build context names.
 * @param rootFd descriptor of the root directory, see {@link openRoot}
 * @param path   relative or absolute; empty is the root itself
 * @param flags  open(2) flags; a file that may be a device or FIFO wants O_PATH first, then {@link reopen}
 * @param mode   permission bits of a file that O_CREAT makes
 * @throws SyscallError ENOENT, ENOTDIR, ELOOP …
 */
export function openInRoot(rootFd: number, path: PathBytes, flags: number, mode = 0): Descriptor {
  return openat2(rootFd, path.length === 0 ? '.' : path, flags, inRoot, mode)
}

/** Like {@link openInRoot}, but a path or link that would leave the directory is an error (EXDEV) and not cut off at the root. */
export function openBeneath(dirFd: number, path: PathBytes, flags: number, mode = 0): Descriptor {
  return openat2(dirFd, path.length === 0 ? '.' : path, flags, beneath, mode)
}

/** Opens one name of a directory, itself and not what it links to when it is a symbolic link (that is then ELOOP, or the link with O_PATH). */
export function openChild(dirFd: number, name: PathBytes, flags: number, mode = 0): Descriptor {
  refuseUnlessName(name)
  return openat2(dirFd, name, flags | constants.O_NOFOLLOW, beneath | Resolve.NO_XDEV, mode)
}

/** The directory that holds a path's last component, and that component's name. */
export interface Parent extends Disposable {
  readonly directory: Descriptor
  readonly name: PathBytes
}

/**
 * Resolves all of a hostile path but its last component, for calls that make, rename or remove a name (`mkdirat`, `unlinkat` …).
 * @throws EngineError invalid-argument when the last component is no name: empty, `.` or `..`
 * @throws SyscallError ENOENT, ENOTDIR, ELOOP …
 */
export function openParent(rootFd: number, path: PathBytes): Parent {
  const { parent, name } = splitPath(path)
  refuseUnlessName(name)
  const directory = openInRoot(rootFd, parent, O_PATH | constants.O_DIRECTORY)
  return { directory, name, [Symbol.dispose]: () => directory.close() }
}

/**
 * Opens again what a descriptor refers to, with other flags: O_PATH descriptors that were looked at become readable.
 * Goes through this process's own /proc, so the process must be in the host's mount namespace.
 */
export function reopen(fd: number, flags: number): Descriptor {
  return openat2(AT_FDCWD, procPath(fd), flags, 0)
}

/** A path to what a descriptor refers to, for calls that only take paths: `/proc/self/fd/7`. Valid as long as the descriptor is open. */
export function procPath(fd: number): string {
  return `/proc/self/fd/${fd}`
}

/** A path to a name in an open directory, for calls that only take paths. The name is one component and is not resolved beforehand. */
export function procChild(dirFd: number, name: PathBytes): Buffer {
  refuseUnlessName(name)
  return Buffer.concat([Buffer.from(`/proc/self/fd/${dirFd}/`), typeof name === 'string' ? Buffer.from(name) : name])
}

/** Splits a path at its last slash; slashes at the end do not count. */
export function splitPath(path: PathBytes): { readonly parent: PathBytes; readonly name: PathBytes } {
  if (typeof path === 'string') {
    const trimmed = path.replace(/\/+$/, '')
    const slash = trimmed.lastIndexOf('/')
    return { parent: trimmed.slice(0, slash + 1) || (path.startsWith('/') ? '/' : ''), name: trimmed.slice(slash + 1) }
  }
  let end = path.length
  while (end > 0 && path[end - 1] === SLASH) end--
  const slash = path.subarray(0, end).lastIndexOf(SLASH)
  return { parent: path.subarray(0, slash + 1), name: path.subarray(slash + 1, end) }
}

/** @throws EngineError invalid-argument unless `name` is one component that names something */
export function refuseUnlessName(name: PathBytes): void {
  const isDots = name.length <= 2 && (typeof name === 'string' ? name === '.' || name === '..' : name[0] === DOT && name[name.length - 1] === DOT)
  if (name.length === 0 || isDots || (typeof name === 'string' ? name.includes('/') : name.includes(SLASH))) {
    throw new EngineError('invalid-argument', `invalid path: ${JSON.stringify(shownPath(name))} is not the name of a file`)
  }
}

const SLASH = 0x2f
const DOT = 0x2e

