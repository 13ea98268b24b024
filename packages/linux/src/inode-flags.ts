import { constants } from 'node:fs'
import { Errno } from './errno.ts'
import { ioctl } from './ioctl.ts'
import { AT_FDCWD } from './at-flags.ts'
import { openat2 } from './openat2.ts'
import { failedWith } from './syscall-error.ts'

/** `_IOR('f', 1, long)` and `_IOW('f', 2, long)` of x86-64 and arm64; what is read and written is an int (ioctl_iflags(2)). */
const FS_IOC_GETFLAGS = 0x80086601
const FS_IOC_SETFLAGS = 0x40086602
/** `FS_TOPDIR_FL`, chattr(1) `T`. */
const TOPDIR = 0x20000

/**
 * Tells ext2, ext3 and ext4 that the directories made in a directory have nothing to do with each other (chattr(1), attribute `T`): each
 * gets a part of the disk of its own. It is a wish only; a file system that knows no such attribute is left alone.
 * @param path a directory, by a path that is ours
 */
export function spreadSubdirectories(path: string): void {
  using directory = openat2(AT_FDCWD, path, constants.O_RDONLY | constants.O_DIRECTORY, 0)
  try {
    const flags = Buffer.alloc(8)
    ioctl(directory.fd, 'FS_IOC_GETFLAGS', FS_IOC_GETFLAGS, flags)
    const before = flags.readUInt32LE()
    if ((before & TOPDIR) !== 0) return
    flags.writeUInt32LE((before | TOPDIR) >>> 0)
    ioctl(directory.fd, 'FS_IOC_SETFLAGS', FS_IOC_SETFLAGS, flags, { flags: before | TOPDIR })
  } catch (error) {
    if (!failedWith(error, Errno.ENOTTY, Errno.EOPNOTSUPP, Errno.EINVAL, Errno.EPERM, Errno.EROFS, Errno.ENOSYS)) throw error
  }
}
