import { cString, shownPath, type PathBytes } from './c-string.ts'
import { asynchronousDoor, door, type Done } from './door.ts'
import { libc } from './libc.ts'
import { Propagation } from './mount-api.ts'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from './unmount.ts'

/*
 * mount(2), for what needs no more than paths of engine's own, which are followed by name. All else is done by descriptors: mount-api.ts.
 */

export const MS_BIND = 0x1000
export const MS_REC = 0x4000

const mountCall = libc.func('int mount(const void *source, const void *target, const void *type, unsigned long flags, const void *data)')

/** mount(2). @param data options of the file system, at most a page @throws SyscallError */
export function mount(source: PathBytes, target: PathBytes, type: string, flags: number, data: string): void {
  const [from, to, kind, options] = [source, target, type, data].map((text) => cString(text))
  door('mount', () => ({ source: shownPath(source), target: shownPath(target), type, flags, data }), () => mountCall(from, to, kind, flags, options) as number)
}

/** The same on another thread: a file system that lies on the network takes its time. @throws SyscallError as a rejection */
export async function mountInBackground(source: PathBytes, target: PathBytes, type: string, flags: number, data: string): Promise<void> {
  const [from, to, kind, options] = [source, target, type, data].map((text) => cString(text))
  await asynchronousDoor('mount', () => ({ source: shownPath(source), target: shownPath(target), type, flags }), (done: Done) => mountCall.async(from, to, kind, flags, options, done))
}

/** MS_BIND: makes the file or directory `source` visible at `target` too. @throws SyscallError */
export function bindMount(source: PathBytes, target: PathBytes): void {
  mount(source, target, '', MS_BIND, '')
}

/** Makes a directory a mount of itself with private propagation, so that mounts made in it reach no other namespace. @throws SyscallError */
export function mountPrivately(directory: string): void {
  bindMount(directory, directory)
  privateOrGone(directory)
}

/** Sets a mount's propagation to private. @throws SyscallError EINVAL when the path is no mount point */
export function makePrivate(mountPoint: string): void {
  mount('none', mountPoint, '', Propagation.PRIVATE, '')
}

/** The same for a mount that was just made: it is taken away again when that fails. */
export function privateOrGone(mountPoint: string): void {
  try {
    makePrivate(mountPoint)
  } catch (error) {
    unmount(mountPoint, MNT_DETACH | UMOUNT_NOFOLLOW)
    throw error
  }
}
