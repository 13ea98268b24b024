import { cString, shownPath, type PathBytes } from './c-string.ts'
import { door } from './door.ts'
import { libc } from './libc.ts'

const mountCall = libc.func('int mount(const void *source, const void *target, const void *type, unsigned long flags, const void *data)')
const umountCall = libc.func('int umount2(const void *target, int flags)')
const MS_BIND = 0x1000
const MNT_DETACH = 2
const UMOUNT_NOFOLLOW = 8

/**
 * mount(2) with MS_BIND: makes the file or directory `source` visible at `target` too. For paths of engine's own only: both are
 * followed by name.
 * @throws SyscallError
 */
export function bindMount(source: PathBytes, target: PathBytes): void {
  const from = cString(source)
  const to = cString(target)
  door('mount', () => ({ source: shownPath(source), target: shownPath(target), flags: 'MS_BIND' }), () => Number(mountCall(from, to, null, MS_BIND, null)))
}

/**
 * umount2(2) with MNT_DETACH: takes the topmost mount at `target` out of sight; it ends when its last user is gone.
 * @throws SyscallError EINVAL when nothing is mounted there, ENOENT
 */
export function detachMount(target: PathBytes): void {
  const path = cString(target)
  door('umount2', () => ({ target: shownPath(target), flags: 'MNT_DETACH|UMOUNT_NOFOLLOW' }), () => Number(umountCall(path, MNT_DETACH | UMOUNT_NOFOLLOW)))
}
