import { chownat } from '@engine/linux/file-at'
import { Errno, failedWith } from '@engine/linux'
import { chmodDescriptor, procPath } from '@engine/linux/paths'
import { setXattr } from '@engine/linux/xattr'
import type { TarEntry } from './tar/entry.ts'
import { opaqueValue, opaqueXattr } from './whiteout.ts'

/** Owner, mode and attributes of a directory; its descriptor may be O_PATH. */
export function describeDirectory(fd: number, entry: TarEntry): void {
  chownat(fd, '', entry.uid, entry.gid)
  chmodDescriptor(fd, entry.mode)
  setXattrs(entry, (name, value) => setXattr(directoryPath(fd), name, value))
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
