import { readSync } from 'node:fs'
import { Errno, failedWith } from '@engine/linux'
import { ioctl } from '@engine/linux/ioctl'

/** `_IOW(0x94, 9, int)` */
const FICLONE = 0x40049409

/** Gives an empty file the blocks of another, where the file system can: ioctl_ficlone(2). @returns whether it could */
export function cloned(to: number, from: number): boolean {
  try {
    ioctl(to, 'FICLONE', FICLONE, from, { from })
    return true
  } catch (error) {
    if (failedWith(error, Errno.EOPNOTSUPP, Errno.EXDEV, Errno.EINVAL, Errno.ENOTTY, Errno.EPERM)) return false
    throw error
  }
}

/** The content of a file, in pieces with their offsets; a piece is only valid until the next. @param size bytes; it ends earlier when the file does */
export function* contentOf(fd: number, size: number): Generator<readonly [Buffer, number], void, undefined> {
  const piece = Buffer.allocUnsafe(Math.min(size, 1 << 20))
  for (let done = 0; done < size; ) {
    const count = readSync(fd, piece, 0, Math.min(piece.length, size - done), done)
    if (count === 0) return
    yield [piece.subarray(0, count), done]
    done += count
  }
}
