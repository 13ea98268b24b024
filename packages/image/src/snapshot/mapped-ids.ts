import { closeSync, mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { AT_FDCWD } from '@engine/linux/at-flags'
import { withFileIds } from '@engine/linux/file-ids'
import { mapMountIds, moveMount, openTree, OPEN_TREE_CLONE } from '@engine/linux/mount-api'
import type { OverlayDirectories } from '@engine/linux/overlay-mount'
import { openRoot } from '@engine/linux/paths'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from '@engine/linux/unmount'
import { mappedFolder } from './layout.ts'

/** The ids that files of containers get in what is mounted. On disk they stay what they are in the container. */
export interface MappedIds {
  /** Descriptor of a user namespace with these mappings. */
  readonly userNamespace: number
  /** Host's ids of its root. */
  readonly root: { readonly uid: number; readonly gid: number }
}

/**
 * Mounts an overlay all of whose directories are seen through a mount of the store with mapped ids (mount_setattr(2); as layers of an
 * overlay since Linux 5.19). An overlay itself cannot be mapped, but lower, upper and work directories can: so a file that a
 * container's root makes is 100000's in what is mounted, and 0's on disk, where commit, diff and all else find it as in any other
 * container. That mount is there for this moment only; before Linux 6.15 it must have a place.
 * The kernel does an overlay's work as who has mounted it, which must be somebody whom the mapping knows.
 * @param root the directory `overlay2`
 * @throws EngineError unavailable where the file system cannot map ids
 */
export function mountMapped(root: string, ids: MappedIds | undefined, directories: OverlayDirectories, mount: (mapped: OverlayDirectories) => void): void {
  if (ids === undefined) throw new EngineError('internal', 'a mount with mapped ids, and no mapping')
  const place = join(root, mappedFolder)
  const below = (path: string): string => join(place, relative(root, path))
  mkdirSync(place, { recursive: true, mode: 0o700 })
  const tree = openTree(AT_FDCWD, root, OPEN_TREE_CLONE)
  try {
    mapIds(tree, ids, root)
    using directory = openRoot(place)
    moveMount(tree, directory.fd)
  } finally {
    closeSync(tree)
  }
  try {
    withFileIds(ids.root, () => mount({ lower: directories.lower.map(below), upper: below(directories.upper), work: below(directories.work) }))
  } finally {
    // The overlay has it for itself.
    clearMapped(root)
  }
}

/** Takes the mapped mount away, also what a crash left. */
export function clearMapped(root: string): void {
  while (unmount(join(root, mappedFolder), MNT_DETACH | UMOUNT_NOFOLLOW));
}

function mapIds(tree: number, { userNamespace }: MappedIds, root: string): void {
  try {
    mapMountIds(tree, userNamespace)
  } catch (cause) {
    if (!failedWith(cause, Errno.EINVAL, Errno.ENOSYS)) throw cause
    throw new EngineError('unavailable', `the file system of ${root} cannot map ids, which userns-remap needs`, { hint: 'ext4, xfs and btrfs can, on Linux 5.19 and later', cause })
  }
}
