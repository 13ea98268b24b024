import { constants } from 'node:fs'
import { AT_FDCWD } from './at-flags.ts'
import { door } from './door.ts'
import { EngineError } from './error.ts'
import { Errno } from './errno.ts'
import { ioctl } from './ioctl.ts'
import { addressOf, syscall } from './libc.ts'
import { openat2 } from './openat2.ts'
import { failedWith } from './syscall-error.ts'
import { syscallNumber } from './syscall-numbers.ts'

/*
 * Project quotas: files of a project, wherever they lie in a file system, may take so many bytes together. quotactl(2),
 * ioctl_xfs_fsgetxattr(2); on ext4 and f2fs the same calls as on XFS.
 */

// struct fsxattr: u32 xflags, extsize, nextents, projid, cowextsize; 8 bytes of padding.
const FS_IOC_FSGETXATTR = 0x801c581f
const FS_IOC_FSSETXATTR = 0x401c5820
const FSXATTR_BYTES = 28
/** What is made in a directory is of its project. */
const FS_XFLAG_PROJINHERIT = 0x200

const PRJQUOTA = 2
const Q_GETQUOTA = 0x800007
const Q_SETQUOTA = 0x800008
const Q_XGETQSTAT = 0x5805
// struct fs_quota_stat: i8 version, u16 flags, …
const QSTAT_BYTES = 80
/** Limits of projects count. */
const FS_QUOTA_PDQ_ENFD = 1 << 5

// struct if_dqblk: u64 hard and soft limit of space in KiB, bytes in use, the same for inodes, two times; u32 what of it is meant.
const DQBLK_BYTES = 72
const QIF_BLIMITS = 1
const LARGEST_BLOCK = 65_536

type Command = 'Q_GETQUOTA' | 'Q_SETQUOTA' | 'Q_XGETQSTAT'
const commands: Readonly<Record<Command, number>> = { Q_GETQUOTA, Q_SETQUOTA, Q_XGETQSTAT }

/** quotactl_fd(2), Linux 5.14. */
function quotactl(fd: number, command: Command, project: number, data: Buffer): void {
  door('quotactl_fd', () => ({ command, type: 'PRJQUOTA', project }), () =>
    syscall(syscallNumber('quotactl_fd'), fd, commands[command] * 256 + PRJQUOTA, project, addressOf(data), 0, 0))
}

function withDirectory<T>(path: string, work: (fd: number) => T): T {
  using directory = openat2(AT_FDCWD, path, constants.O_RDONLY | constants.O_DIRECTORY, 0)
  return work(directory.fd)
}

/** Whether the file system of a directory holds projects to their limits. @param path a directory, by a path that is ours */
export function hasProjectQuota(path: string): boolean {
  const state = Buffer.alloc(QSTAT_BYTES)
  try {
    withDirectory(path, (fd) => quotactl(fd, 'Q_XGETQSTAT', 0, state))
  } catch (error) {
    // Not of this file system, not turned on, or not of this kernel.
    if (failedWith(error, Errno.ENOSYS, Errno.EINVAL, Errno.ESRCH, Errno.ENOTTY, Errno.EOPNOTSUPP, Errno.ENODEV, Errno.EPERM)) return false
    throw error
  }
  return (state.readUInt16LE(2) & FS_QUOTA_PDQ_ENFD) !== 0
}

/** What a project's files may take, and take; bytes. A limit of 0 is none. @param path a directory of the file system */
export function projectUse(path: string, project: number): { readonly limit: number; readonly used: number } {
  const block = Buffer.alloc(DQBLK_BYTES)
  try {
    withDirectory(path, (fd) => quotactl(fd, 'Q_GETQUOTA', project, block))
  } catch (error) {
    // XFS has no record of a project that never had a file.
    if (!failedWith(error, Errno.ENOENT)) throw error
  }
  return { limit: Number(block.readBigUInt64LE(0)) * 1024, used: Number(block.readBigUInt64LE(16)) }
}

/**
 * Sets what a project's files may take, and asks whether that is so: a limit that nobody keeps is worse than none.
 * @param bytes 0 for as much as there is; whole KiB
 * @throws EngineError unavailable when the file system has not taken it
 */
export function limitProject(path: string, project: number, bytes: number): void {
  const block = Buffer.alloc(DQBLK_BYTES)
  const kibibytes = BigInt(Math.ceil(bytes / 1024))
  block.writeBigUInt64LE(kibibytes, 0)
  block.writeBigUInt64LE(kibibytes, 8)
  block.writeUInt32LE(QIF_BLIMITS, 64)
  withDirectory(path, (fd) => quotactl(fd, 'Q_SETQUOTA', project, block))
  const wanted = Number(kibibytes) * 1024
  const { limit } = projectUse(path, project)
  // XFS rounds up to blocks of its own.
  const taken = wanted === 0 ? limit === 0 : limit >= wanted && limit < wanted + LARGEST_BLOCK
  if (!taken) throw new EngineError('unavailable', `the file system of ${path} was told a limit of ${wanted} bytes and has ${limit}`)
}

/** Makes a directory a project's, with all that will be made in it; what it holds already is not. */
export function joinProject(path: string, project: number): void {
  withDirectory(path, (fd) => {
    const attributes = Buffer.alloc(FSXATTR_BYTES)
    ioctl(fd, 'FS_IOC_FSGETXATTR', FS_IOC_FSGETXATTR, attributes)
    attributes.writeUInt32LE((attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT) >>> 0, 0)
    attributes.writeUInt32LE(project, 12)
    ioctl(fd, 'FS_IOC_FSSETXATTR', FS_IOC_FSSETXATTR, attributes, { project, flags: 'FS_XFLAG_PROJINHERIT' })
  })
}
