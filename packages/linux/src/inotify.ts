import { cString } from './c-string.ts'
import { door } from './door.ts'
import { libc } from './libc.ts'

const IN_CLOEXEC = 0o2000000
const IN_NONBLOCK = 0o4000
/** inotify(7): the file was written. */
export const IN_MODIFY = 2

const init = libc.func('int inotify_init1(int)') as (flags: number) => number
const add = libc.func('int inotify_add_watch(int, const char *, uint32_t)') as (fd: number, path: Buffer, mask: number) => number

/** inotify_init1(2), close-on-exec and non-blocking. */
export function inotifyCreate(): number {
  return door('inotify_init1', () => ({ flags: 'IN_CLOEXEC|IN_NONBLOCK' }), () => init(IN_CLOEXEC | IN_NONBLOCK))
}

/** inotify_add_watch(2). @throws SyscallError ENOENT when there is no such file */
export function inotifyWatch(fd: number, path: string, mask: number): void {
  door('inotify_add_watch', () => ({ path, mask }), () => add(fd, cString(path), mask))
}
