import { libc } from './libc.ts'
import { door } from './door.ts'
import { cString } from './c-string.ts'
import { fcntl } from './descriptor-flags.ts'

const F_SETPIPE_SZ = 1031
const F_GETPIPE_SZ = 1032

const make = libc.func('int mkfifo(const char *, uint32)') as (path: Buffer, mode: number) => number

/** mkfifo(3). `mode` is subject to the umask. @throws SyscallError EEXIST when something has that name */
export function mkfifo(path: string, mode: number): void {
  door('mkfifo', () => ({ path, mode }), () => make(cString(path), mode))
}

/** fcntl(F_SETPIPE_SZ). @returns the size in bytes that the kernel chose, at least the one asked for */
export function setPipeSize(fd: number, bytes: number): number {
  return door('fcntl', () => ({ fd, command: 'F_SETPIPE_SZ', bytes }), () => fcntl(fd, F_SETPIPE_SZ, bytes))
}

/** fcntl(F_GETPIPE_SZ): how many bytes a pipe holds at most. */
export function pipeSize(fd: number): number {
  return door('fcntl', () => ({ fd, command: 'F_GETPIPE_SZ' }), () => fcntl(fd, F_GETPIPE_SZ, 0))
}
