import { constants } from 'node:fs'
import { AT_FDCWD } from './at-flags.ts'
import { cString, shownPath, type PathBytes } from './c-string.ts'
import { Descriptor } from './descriptor.ts'
import { door } from './door.ts'
import { Errno } from './errno.ts'
import { libc } from './libc.ts'
import { failedWith } from './syscall-error.ts'
import { syscallNumber } from './syscall-numbers.ts'

/** `resolve` bits of openat2(2). */
export const Resolve = {
  /** Do not cross mount points. */
  NO_XDEV: 0x01,
  /** Refuse the symbolic links of /proc that jump (`/proc/self/fd/3`, `/proc/1/root`). */
  NO_MAGICLINKS: 0x02,
  /** Refuse every symbolic link. */
  NO_SYMLINKS: 0x04,
  /** Refuse what would leave the directory (EXDEV). */
  BENEATH: 0x08,
  /** The directory is the root: `..` stops there, absolute links begin there. */
  IN_ROOT: 0x10,
} as const

/** open(2) flags that node:fs does not have a name for; the same on x86-64 and arm64. */
export const O_PATH = 0x200000
export const O_CLOEXEC = 0x80000

const openat2Call = libc.func('long syscall(long number, int dirfd, const void *path, const void *how, size_t size)')
/** `struct open_how`: flags, mode, resolve, 64 bits each. One for all calls of a thread: the kernel reads it during the call. */
const how = new Uint32Array(6)
const howBytes = Buffer.from(how.buffer)

/**
 * openat2(2): opens `path` relative to `dirFd` under the rules of `resolve`. The descriptor is always close-on-exec.
 * @param flags open(2) flags
 * @param mode  permission bits of a file it creates; only with O_CREAT
 * @throws SyscallError EXDEV or ELOOP when the rules forbid the path
 */
export function openat2(dirFd: number, path: PathBytes, flags: number, resolve: number, mode = 0): Descriptor {
  const name = cString(path)
  how[0] = flags | O_CLOEXEC
  how[2] = (flags & constants.O_CREAT) === 0 ? 0 : mode
  how[4] = resolve
  for (let attempt = 0; ; attempt++) {
    try {
      return new Descriptor(
        door(
          'openat2',
          () => ({ dirfd: dirFd, path: shownPath(path), flags, resolve }),
          () => openat2Call(syscallNumber('openat2'), dirFd, name, howBytes, howBytes.length) as number,
        ),
      )
    } catch (error) {
      // With BENEATH and IN_ROOT the kernel answers EAGAIN when a rename anywhere raced with a `..`; it asks to be tried again.
      if (attempt < 128 && failedWith(error, Errno.EAGAIN)) continue
      throw error
    }
  }
}

/** Whether this kernel has openat2 (Linux 5.6): asked once at start by the daemon. */
export function openat2Works(): boolean {
  try {
    openat2(AT_FDCWD, '/', O_PATH, 0).close()
    return true
  } catch (error) {
    if (failedWith(error, Errno.ENOSYS, Errno.EPERM)) return false
    throw error
  }
}
