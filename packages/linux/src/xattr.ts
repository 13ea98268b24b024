import { Errno } from './errno.ts'
import { cString, shownPath, type PathBytes } from './c-string.ts'
import { door, lenientDoor } from './door.ts'
import { libc } from './libc.ts'
import { failedWith } from './syscall-error.ts'

/*
 * Extended attributes, xattr(7). Functions that take a path do not follow a symbolic link at its end: give them
 * `procChild(directory, name)` of paths/ to act on a name, so that the path holds nothing that is not ours. A descriptor's path under
 * /proc is such a link: what it refers to is read by the functions that take the descriptor.
 */

const lsetxattrCall = libc.func('int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)')
const lgetxattrCall = libc.func('int64 lgetxattr(const void *path, const void *name, void *value, size_t size)')
const getxattrCall = libc.func('int64 getxattr(const void *path, const void *name, void *value, size_t size)')
const listxattrCall = libc.func('int64 listxattr(const void *path, void *list, size_t size)')
const llistxattrCall = libc.func('int64 llistxattr(const void *path, void *list, size_t size)')
const lremovexattrCall = libc.func('int lremovexattr(const void *path, const void *name)')
const fsetxattrCall = libc.func('int fsetxattr(int fd, const void *name, const void *value, size_t size, int flags)')

/** lsetxattr(2); `name` with its namespace, such as `security.capability`; the value may be any bytes. */
export function setXattr(path: PathBytes, name: PathBytes, value: Buffer): void {
  const file = cString(path)
  const attribute = cString(name)
  door(
    'lsetxattr',
    () => ({ path: shownPath(path), name: shownPath(name), size: value.length }),
    () => lsetxattrCall(file, attribute, value, value.length, 0) as number,
  )
}

/** fsetxattr(2) on an open file (not O_PATH). */
export function setXattrOf(fd: number, name: PathBytes, value: Buffer): void {
  const attribute = cString(name)
  door(
    'fsetxattr',
    () => ({ fd, name: shownPath(name), size: value.length }),
    () => fsetxattrCall(fd, attribute, value, value.length, 0) as number,
  )
}

/** lgetxattr(2): the value's bytes, or undefined when the file has no such attribute (or its file system has none at all). */
export function getXattr(path: PathBytes, name: PathBytes): Buffer | undefined {
  return readValue('lgetxattr', lgetxattrCall, path, name)
}

/** The same of what a descriptor refers to; O_PATH is enough, with which fgetxattr(2) fails. Not for one of a symbolic link. */
export function getXattrOf(fd: number, name: PathBytes): Buffer | undefined {
  return readValue('getxattr', getxattrCall, `/proc/self/fd/${fd}`, name)
}

function readValue(call: string, invoke: typeof getxattrCall, path: PathBytes, name: PathBytes): Buffer | undefined {
  const file = cString(path)
  const attribute = cString(name)
  const args = () => ({ path: shownPath(path), name: shownPath(name) })
  for (let size = 256; ; ) {
    const value = Buffer.alloc(size)
    // XATTR_SIZE_MAX is 65536.
    const expected = size > 65536 ? [Errno.ENODATA, Errno.EOPNOTSUPP] : [Errno.ENODATA, Errno.EOPNOTSUPP, Errno.ERANGE]
    const length = lenientDoor(call, args, expected, () => invoke(file, attribute, value, size) as number | bigint)
    if (length >= 0) return value.subarray(0, length)
    if (length !== -Errno.ERANGE) return undefined
    size *= 16
  }
}

/** llistxattr(2): the names of a file's attributes, sorted. A process without CAP_SYS_ADMIN does not see `trusted.*`. */
export function listXattrs(path: PathBytes): string[] {
  return readNames('llistxattr', llistxattrCall, path)
}

/** The same of what a descriptor refers to, see {@link getXattrOf}. */
export function listXattrsOf(fd: number): string[] {
  return readNames('listxattr', listxattrCall, `/proc/self/fd/${fd}`)
}

function readNames(call: string, invoke: typeof listxattrCall, path: PathBytes): string[] {
  const file = cString(path)
  for (let size = 1024; ; ) {
    const list = Buffer.alloc(size)
    try {
      const length = door(call, () => ({ path: shownPath(path) }), () => invoke(file, list, size) as number | bigint)
      return length === 0 ? [] : list.subarray(0, length - 1).toString('latin1').split('\0').sort()
    } catch (error) {
      if (failedWith(error, Errno.EOPNOTSUPP)) return []
      if (!failedWith(error, Errno.ERANGE) || size > 65536) throw error
      size *= 16
    }
  }
}

/** lremovexattr(2); an attribute that is not there is no error. */
export function removeXattr(path: PathBytes, name: PathBytes): void {
  const file = cString(path)
  const attribute = cString(name)
  try {
    door('lremovexattr', () => ({ path: shownPath(path), name: shownPath(name) }), () => lremovexattrCall(file, attribute) as number)
  } catch (error) {
    if (!failedWith(error, Errno.ENODATA)) throw error
  }
}
