import { cString, shownPath, type PathBytes } from './c-string.ts'
import { asynchronousDoor, door } from './door.ts'
import { Errno } from './errno.ts'
import { libc } from './libc.ts'
import { failedWith } from './syscall-error.ts'

export const MNT_DETACH = 2
export const UMOUNT_NOFOLLOW = 8

const umount2Call = libc.func('int umount2(const void *target, int flags)')

/**
 * umount2(2). With MNT_DETACH the topmost mount at `target` goes out of sight, and ends when its last user is gone.
 * @returns false when nothing was mounted there
 * @throws SyscallError EBUSY …
 */
export function unmount(target: PathBytes, flags: number): boolean {
  const path = cString(target)
  try {
    door('umount2', () => ({ target: shownPath(target), flags }), () => umount2Call(path, flags) as number)
    return true
  } catch (error) {
    return notMounted(error)
  }
}

/**
 * umount2(2) on another thread: taking away an overlay writes its upper file system to disk first (100 ms and more).
 * @returns false when nothing was mounted there
 * @throws SyscallError EBUSY …
 */
export async function unmountInBackground(target: PathBytes, flags: number): Promise<boolean> {
  const path = cString(target)
  try {
    await asynchronousDoor('umount2', () => ({ target: shownPath(target), flags }), (done) => umount2Call.async(path, flags, done))
    return true
  } catch (error) {
    return notMounted(error)
  }
}

function notMounted(error: unknown): false {
  if (failedWith(error, Errno.EINVAL, Errno.ENOENT)) return false
  throw error
}
