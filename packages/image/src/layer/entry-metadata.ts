import { constants, type BigIntStats } from 'node:fs'
import { Errno, failedWith } from '@engine/linux'
import { chownat, futimens, utimensat } from '@engine/linux/file-at'
import { chmodDescriptor, procPath, reopen } from '@engine/linux/paths'
import { setXattr, setXattrOf } from '@engine/linux/xattr'
import type { TarEntry } from './tar/entry.ts'
import { opaqueValue, opaqueXattr } from './whiteout.ts'

/** Owner, mode and attributes of a directory; its descriptor may be O_PATH. */
export function describeDirectory(fd: number, entry: TarEntry): void {
  chownat(fd, '', entry.uid, entry.gid)
  chmodDescriptor(fd, entry.mode)
  setXattrs(entry, (name, value) => setXattr(directoryPath(fd), name, value))
}

/**
 * Gives a file what the entry of one more link to it says: the last entry of a file counts, as with Docker, Podman and containerd. Only
 * what differs is changed, as Podman does: chown(2) takes capabilities away, and entries of links mostly have no attributes. Of a
 * symbolic link only the owner is changed (moby pkg/archive/archive.go, createTarFile).
 * @param fd           of the file, O_PATH
 * @param stats        what it was before
 * @param parent, name the link that was made
 */
export function describeLinked(fd: number, stats: BigIntStats, entry: TarEntry, parent: number, name: Buffer): void {
  const hasOtherOwner = Number(stats.uid) !== entry.uid || Number(stats.gid) !== entry.gid
  if (hasOtherOwner) chownat(fd, '', entry.uid, entry.gid)
  if (stats.isSymbolicLink()) return
  // After chown, which clears setuid bits.
  if (hasOtherOwner || Number(stats.mode & 0o7777n) !== entry.mode) chmodDescriptor(fd, entry.mode)
  const atime = entry.atime ?? entry.mtime
  if (entry.xattrs.size === 0 && stats.mtimeNs === entry.mtime && stats.atimeNs === atime) return
  // Opening a FIFO or a device does things.
  if (!stats.isFile()) return utimensat(parent, name, atime, entry.mtime)
  using file = reopen(fd, constants.O_RDONLY | constants.O_NOCTTY)
  setXattrs({ ...entry, type: 'file' }, (attribute, value) => setXattrOf(file.fd, attribute, value))
  futimens(file.fd, atime, entry.mtime)
}

/** Makes a directory opaque: nothing of its name in lower layers shows through. */
export function hideLower(fd: number): void {
  setXattr(directoryPath(fd), opaqueXattr, opaqueValue)
}

/**
 * Sets what attributes of an entry may be set: capabilities and the user's own. `trusted.overlay.*` from an archive would let a layer
 * show directories of others (redirect), and `security.selinux` and its kind belong to the host.
 */
export function setXattrs(entry: TarEntry, set: (name: Buffer, value: Buffer) => void): void {
  for (const [name, value] of entry.xattrs) {
    const isUser = name.startsWith('user.')
    // The kernel allows user.* on nothing else, xattr(7).
    if (isUser ? entry.type !== 'file' && entry.type !== 'directory' : name !== 'security.capability') continue
    try {
      set(Buffer.from(name, 'latin1'), value)
    } catch (error) {
      // A file system without user attributes loses them, as with Docker; a lost capability would break the program.
      if (!isUser || !failedWith(error, Errno.EOPNOTSUPP)) throw error
    }
  }
}

/** A path to an open directory that lsetxattr(2) takes: with the dot it is the directory and not /proc's link to it. */
function directoryPath(fd: number): string {
  return `${procPath(fd)}/.`
}
