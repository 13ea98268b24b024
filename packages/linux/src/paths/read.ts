import { constants, fstatSync, readSync, type BigIntStats } from 'node:fs'
import { EngineError } from '../error.ts'
import { Errno } from '../errno.ts'
import { readlinkat } from '../file-at.ts'
import { shownPath, type PathBytes } from '../c-string.ts'
import { O_PATH } from '../openat2.ts'
import { failedWith } from '../syscall-error.ts'
import { openInRoot, reopen } from './open.ts'

/**
 * Reads a small file by a hostile path: /etc/passwd of a container, a Dockerfile of a context. What is not a regular file is never
 * opened for reading (a FIFO would block for ever, a device could do anything), and what is larger than it should be is refused.
 * @param limit largest size in bytes
 * @throws EngineError invalid-argument when it is no regular file or too large
 * @throws SyscallError ENOENT and what else openat2 says
 */
export function readFileInRoot(rootFd: number, path: PathBytes, limit: number): Buffer {
  using found = openInRoot(rootFd, path, O_PATH)
  if (!fstatSync(found.fd).isFile()) throw new EngineError('invalid-argument', `${shownPath(path)} is not a regular file`)
  using file = reopen(found.fd, constants.O_RDONLY | constants.O_NOCTTY)
  const { size } = fstatSync(file.fd)
  if (size > limit) throw tooLarge(path, limit)
  // One byte more than is allowed, so that a file that grows meanwhile is noticed.
  const content = Buffer.alloc(limit < size + 4096 ? limit + 1 : size + 4096)
  let length = 0
  while (length < content.length) {
    const count = readSync(file.fd, content, length, content.length - length, null)
    if (count === 0) break
    length += count
  }
  if (length > limit) throw tooLarge(path, limit)
  return content.subarray(0, length)
}

/**
 * What a hostile path refers to, or undefined when there is nothing.
 * @param follow whether a symbolic link at the end is followed
 */
export function statInRoot(rootFd: number, path: PathBytes, follow = true): BigIntStats | undefined {
  try {
    using found = openInRoot(rootFd, path, follow ? O_PATH : O_PATH | constants.O_NOFOLLOW)
    return fstatSync(found.fd, { bigint: true })
  } catch (error) {
    if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR)) return undefined
    throw error
  }
}

/** The bytes of the symbolic link at a hostile path. @throws SyscallError EINVAL or ENOENT when it is none */
export function readlinkInRoot(rootFd: number, path: PathBytes): Buffer {
  using link = openInRoot(rootFd, path, O_PATH | constants.O_NOFOLLOW)
  return readlinkat(link.fd, '')
}

function tooLarge(path: PathBytes, limit: number): EngineError {
  return new EngineError('invalid-argument', `${shownPath(path)} is larger than ${limit} bytes`)
}
