import { constants } from 'node:os'

const names = new Map<number, string>()
for (const [name, value] of Object.entries(constants.errno)) {
  // EAGAIN and ENOTSUP come before their aliases; the first name wins.
  if (!names.has(value)) names.set(value, name)
}
names.set(11, 'EAGAIN')
names.set(95, 'EOPNOTSUPP')
for (const [value, name] of [
  [38, 'ENOSYS'],
  [15, 'ENOTBLK'],
  [49, 'EUNATCH'],
  [108, 'ESHUTDOWN'],
  [117, 'EUCLEAN'],
  [122, 'EDQUOT'],
  [123, 'ENOMEDIUM'],
  [126, 'ENOKEY'],
  [127, 'EKEYEXPIRED'],
  [128, 'EKEYREVOKED'],
  [129, 'EKEYREJECTED'],
  [132, 'ERFKILL'],
] as const) {
  names.set(value, name)
}

/** Numbers of the errors that engine's own code tells apart (errno(3)). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  ENOEXEC: 8,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ENOSPC: 28,
  EROFS: 30,
  EPIPE: 32,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EOPNOTSUPP: 95,
  EPROTONOSUPPORT: 93,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EINPROGRESS: 115,
  ESTALE: 116,
  EDQUOT: 122,
} as const

/** The name of an errno value, such as `ENOENT` for 2; `errno 999` for one unknown. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`
}

const texts = new Map<number, string>([
  [1, 'operation not permitted'],
  [2, 'no such file or directory'],
  [3, 'no such process'],
  [5, 'input/output error'],
  [7, 'argument list too long'],
  [8, 'exec format error'],
  [9, 'bad file descriptor'],
  [12, 'cannot allocate memory'],
  [13, 'permission denied'],
  [16, 'device or resource busy'],
  [17, 'file exists'],
  [18, 'invalid cross-device link'],
  [19, 'no such device'],
  [20, 'not a directory'],
  [21, 'is a directory'],
  [22, 'invalid argument'],
  [23, 'too many open files in system'],
  [24, 'too many open files'],
  [26, 'text file busy'],
  [28, 'no space left on device'],
  [30, 'read-only file system'],
  [36, 'file name too long'],
  [38, 'function not implemented'],
  [39, 'directory not empty'],
  [40, 'too many levels of symbolic links'],
])

/** The text of an errno value as Go prints it (lower case), which Docker's clients match: `no such file or directory`. */
export function errnoText(errno: number): string {
  return texts.get(errno) ?? errnoName(errno)
}
