import { closeSync, constants, openSync } from 'node:fs'
import { AT_FDCWD, MountAttribute, OPEN_TREE_CLONE, mountSetattr, openTree } from '@engine/linux/mount-api'

/**
 * Opens the host's /dev/null for a process that has no standard input.
 * Through a read-only mount of its own: the device works as ever, but a container's root cannot change the mode, owner and times
 * of the host's file by /proc/self/fd/0, or fchmod(2).
 */
export function openNullDevice(): number {
  const mount = openTree(AT_FDCWD, '/dev/null', OPEN_TREE_CLONE)
  try {
    mountSetattr(mount, { set: MountAttribute.RDONLY | MountAttribute.NOSUID | MountAttribute.NOEXEC })
    return openSync(`/proc/self/fd/${mount}`, constants.O_RDONLY)
  } finally {
    closeSync(mount)
  }
}
