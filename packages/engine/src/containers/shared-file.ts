import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'

/** Bytes that we read of a file that a container may write: what is larger is its own affair. */
const most = 1 << 20

/** Reads a file that a container may have changed; undefined when it is gone, or larger than any of ours. */
export function readShared(path: string): string | undefined {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    // It may grow while it is read.
    const buffer = Buffer.alloc(Math.min(fstatSync(fd).size, most) + 1)
    let filled = 0
    while (filled < buffer.length) {
      const count = readSync(fd, buffer, filled, buffer.length - filled, filled)
      if (count === 0) break
      filled += count
    }
    return filled === buffer.length ? undefined : buffer.toString('utf8', 0, filled)
  } finally {
    closeSync(fd)
  }
}

/**
 * Writes a file that a container has mounted, and so this very file, not another one in its place. Who reads it meanwhile finds no
 * half of it and no rest of what was there: empty lines go over that before the file becomes shorter.
 */
export function rewriteShared(path: string, content: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o644)
  try {
    const bytes = Buffer.from(content)
    const { size } = fstatSync(fd)
    writeSync(fd, size <= most ? Buffer.concat([bytes, Buffer.alloc(Math.max(0, size - bytes.length), '\n')]) : bytes, 0, undefined, 0)
    ftruncateSync(fd, bytes.length)
  } finally {
    closeSync(fd)
  }
}
