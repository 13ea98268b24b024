import { AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from './at-flags.ts'
import { cString, shownPath, type PathBytes } from './c-string.ts'
import { door, lenientDoor } from './door.ts'
import { Errno } from './errno.ts'
import { EngineError } from './error.ts'
import { libc } from './libc.ts'

/*
 * File system calls relative to a directory's descriptor. `name` is meant to be a single component: with more, the kernel
 * would follow symbolic links in between. Resolve with paths/ first, then act here.
 */

const RENAME_NOREPLACE = 1
const RENAME_EXCHANGE = 2

const mkdiratCall = libc.func('int mkdirat(int dirfd, const void *path, unsigned int mode)')
const unlinkatCall = libc.func('int unlinkat(int dirfd, const void *path, int flags)')
const renameat2Call = libc.func('int renameat2(int olddirfd, const void *oldpath, int newdirfd, const void *newpath, unsigned int flags)')
const linkatCall = libc.func('int linkat(int olddirfd, const void *oldpath, int newdirfd, const void *newpath, int flags)')
const symlinkatCall = libc.func('int symlinkat(const void *target, int newdirfd, const void *linkpath)')
const mknodatCall = libc.func('int mknodat(int dirfd, const void *path, unsigned int mode, uint64 dev)')
const fchownatCall = libc.func('int fchownat(int dirfd, const void *path, unsigned int uid, unsigned int gid, int flags)')
const fchmodatCall = libc.func('int fchmodat(int dirfd, const void *path, unsigned int mode, int flags)')
const utimensatCall = libc.func('int utimensat(int dirfd, const void *path, const void *times, int flags)')
const futimensCall = libc.func('int futimens(int fd, const void *times)')
const readlinkatCall = libc.func('int64 readlinkat(int dirfd, const void *path, void *buf, size_t size)')
const syncfsCall = libc.func('int syncfs(int fd)')

/** mkdirat(2); `mode` is subject to the umask. */
export function mkdirat(dirFd: number, name: PathBytes, mode: number): void {
  const path = cString(name)
  door('mkdirat', () => ({ dirfd: dirFd, path: shownPath(name), mode }), () => mkdiratCall(dirFd, path, mode) as number)
}

/** unlinkat(2) of anything but a directory. */
export function unlinkat(dirFd: number, name: PathBytes): void {
  const path = cString(name)
  door('unlinkat', () => ({ dirfd: dirFd, path: shownPath(name) }), () => unlinkatCall(dirFd, path, 0) as number)
}

/** The same where there may be nothing of that name. @returns whether there was */
export function unlinkIfThere(dirFd: number, name: PathBytes): boolean {
  const path = cString(name)
  return lenientDoor('unlinkat', () => ({ dirfd: dirFd, path: shownPath(name) }), [Errno.ENOENT], () => unlinkatCall(dirFd, path, 0) as number) === 0
}

/** unlinkat(2) with AT_REMOVEDIR: removes an empty directory. */
export function rmdirat(dirFd: number, name: PathBytes): void {
  const path = cString(name)
  door('rmdirat', () => ({ dirfd: dirFd, path: shownPath(name) }), () => unlinkatCall(dirFd, path, AT_REMOVEDIR) as number)
}

/** renameat2(2). `noReplace` fails with EEXIST instead of replacing; `exchange` swaps the two. */
export function renameat(
  oldDirFd: number,
  oldName: PathBytes,
  newDirFd: number,
  newName: PathBytes,
  how: 'replace' | 'noReplace' | 'exchange' = 'replace',
): void {
  const from = cString(oldName)
  const to = cString(newName)
  const flags = how === 'replace' ? 0 : how === 'noReplace' ? RENAME_NOREPLACE : RENAME_EXCHANGE
  door(
    'renameat2',
    () => ({ olddirfd: oldDirFd, oldpath: shownPath(oldName), newdirfd: newDirFd, newpath: shownPath(newName), flags }),
    () => renameat2Call(oldDirFd, from, newDirFd, to, flags) as number,
  )
}

/** linkat(2) of a name; a symbolic link is linked itself, never followed. */
export function linkat(oldDirFd: number, oldName: PathBytes, newDirFd: number, newName: PathBytes): void {
  const from = cString(oldName)
  const to = cString(newName)
  door(
    'linkat',
    () => ({ olddirfd: oldDirFd, oldpath: shownPath(oldName), newdirfd: newDirFd, newpath: shownPath(newName) }),
    () => linkatCall(oldDirFd, from, newDirFd, to, 0) as number,
  )
}

/** linkat(2) of what a descriptor refers to (AT_EMPTY_PATH; needs CAP_DAC_READ_SEARCH). */
export function linkDescriptor(fd: number, newDirFd: number, newName: PathBytes): void {
  const empty = cString('')
  const to = cString(newName)
  door(
    'linkat',
    () => ({ olddirfd: fd, oldpath: '', newdirfd: newDirFd, newpath: shownPath(newName) }),
    () => linkatCall(fd, empty, newDirFd, to, AT_EMPTY_PATH) as number,
  )
}

/** symlinkat(2); `target` is stored as it is. */
export function symlinkat(target: PathBytes, dirFd: number, name: PathBytes): void {
  const to = cString(target)
  const path = cString(name)
  door('symlinkat', () => ({ target: shownPath(target), dirfd: dirFd, path: shownPath(name) }), () => symlinkatCall(to, dirFd, path) as number)
}

/** mknodat(2): `mode` holds type and permission bits, `device` is made by {@link makeDevice} (0 for FIFOs and sockets). */
export function mknodat(dirFd: number, name: PathBytes, mode: number, device: bigint): void {
  const path = cString(name)
  door(
    'mknodat',
    () => ({ dirfd: dirFd, path: shownPath(name), mode, dev: Number(device) }),
    () => mknodatCall(dirFd, path, mode, device) as number,
  )
}

/** makedev(3): glibc's 64-bit dev_t of a major and a minor number. */
export function makeDevice(major: number, minor: number): bigint {
  const a = BigInt(major)
  const b = BigInt(minor)
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn)
}

/** major(3) and minor(3) of a dev_t, as in `stat.rdev`. */
export function splitDevice(device: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn)),
    minor: Number(((device >> 12n) & 0xffffff00n) | (device & 0xffn)),
  }
}

/** fchownat(2) of a name, not following a link there. `name` '' is what the descriptor itself refers to, also for O_PATH. */
export function chownat(dirFd: number, name: PathBytes, uid: number, gid: number): void {
  const path = cString(name)
  door(
    'fchownat',
    () => ({ dirfd: dirFd, path: shownPath(name), uid, gid }),
    () => fchownatCall(dirFd, path, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) as number,
  )
}

/** fchmodat(2). It follows a symbolic link, so the name must be known not to be one. */
export function chmodat(dirFd: number, name: PathBytes, mode: number): void {
  const path = cString(name)
  door('fchmodat', () => ({ dirfd: dirFd, path: shownPath(name), mode }), () => fchmodatCall(dirFd, path, mode, 0) as number)
}

/** utimensat(2) of a name, not following a link there; times in nanoseconds since the epoch, negative ones too. */
export function utimensat(dirFd: number, name: PathBytes, accessed: bigint, modified: bigint): void {
  const path = cString(name)
  const times = timespecs(accessed, modified)
  door(
    'utimensat',
    () => ({ dirfd: dirFd, path: shownPath(name), mtime: Number(modified) }),
    () => utimensatCall(dirFd, path, times, AT_SYMLINK_NOFOLLOW) as number,
  )
}

/** futimens(3): times of an open file (not O_PATH), in nanoseconds since the epoch. */
export function futimens(fd: number, accessed: bigint, modified: bigint): void {
  const times = timespecs(accessed, modified)
  door('futimens', () => ({ fd, mtime: Number(modified) }), () => futimensCall(fd, times) as number)
}

/** readlinkat(2): the bytes of a symbolic link. `name` '' reads the link that an O_PATH descriptor refers to. */
export function readlinkat(dirFd: number, name: PathBytes): Buffer {
  const path = cString(name)
  for (let size = 256; ; size *= 4) {
    const target = Buffer.alloc(size)
    const length = door(
      'readlinkat',
      () => ({ dirfd: dirFd, path: shownPath(name) }),
      () => readlinkatCall(dirFd, path, target, size) as number | bigint,
    )
    if (length < size) return target.subarray(0, length)
  }
}

/** syncfs(2): writes everything of the file system that holds `fd` to disk. Blocks; call it in a worker. */
export function syncfs(fd: number): void {
  door('syncfs', () => ({ fd }), () => syncfsCall(fd) as number)
}

/**
 * Two struct timespec; seconds are rounded towards the past, so that the nanoseconds are never negative.
 * @throws EngineError invalid-argument for seconds that do not fit 64 bits
 */
function timespecs(accessed: bigint, modified: bigint): Buffer {
  const times = Buffer.allocUnsafe(32)
  writeTimespec(times, 0, accessed)
  if (accessed === modified) times.copy(times, 16, 0, 16)
  else writeTimespec(times, 16, modified)
  return times
}

function writeTimespec(times: Buffer, offset: number, time: bigint): void {
  let nanoseconds = time % 1_000_000_000n
  if (nanoseconds < 0n) nanoseconds += 1_000_000_000n
  const seconds = (time - nanoseconds) / 1_000_000_000n
  if (BigInt.asIntN(64, seconds) !== seconds) throw new EngineError('invalid-argument', `invalid file time: ${seconds} s since 1970`)
  times.writeBigInt64LE(seconds, offset)
  times.writeBigInt64LE(nanoseconds, offset + 8)
}
