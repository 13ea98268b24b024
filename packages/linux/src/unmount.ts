import { cString } from './c-string.ts'
import { door } from './door.ts'
import { Errno } from './errno.ts'
import { libc } from './libc.ts'
import { failedWith } from './syscall-error.ts'
import { tracer } from './tracer.ts'

export const MNT_DETACH = 2
export const UMOUNT_NOFOLLOW = 8

const umount2Call = libc.func('int umount2(const void *target, int flags)')

/** umount2(2). @returns false when nothing was mounted there @throws SyscallError EBUSY … */
export function unmount(target: string, flags: number): boolean {
  const path = cString(target)
  try {
    door('umount2', () => ({ target, flags }), () => umount2Call(path, flags) as number)
    return true
  } catch (error) {
    if (failedWith(error, Errno.EINVAL, Errno.ENOENT)) return false
    throw error
  }
}

/**
 * umount2(2) on another thread: taking away an overlay writes its upper file system to disk first (100 ms and more).
 * @returns false when nothing was mounted there
 * @throws SyscallError EBUSY …
 */
export async function unmountInBackground(target: string, flags: number): Promise<boolean> {
  const path = cString(target)
  const report = tracer()
  const start = process.hrtime.bigint()
  const result = await new Promise<number>((resolve, reject) => {
    umount2Call.async(path, flags, (error: Error | null, value: number) => (error === null ? resolve(value) : reject(error)))
  })
  // The other thread's errno is not to be had. A failure is immediate, so asking again on this thread says why.
  if (result < 0) return unmount(target, flags)
  report?.({ call: 'umount2', args: { target, flags }, result, nanoseconds: Number(process.hrtime.bigint() - start) })
  return true
}
