import { constants } from 'node:fs'
import { door } from './door.ts'
import { libc } from './libc.ts'
import { O_CLOEXEC } from './openat2.ts'

const O_NONBLOCK = constants.O_NONBLOCK

const pipe2 = libc.func('int pipe2(void *fds, int flags)') as (fds: Buffer, flags: number) => number

/** pipe2(2): both ends close-on-exec and non-blocking. @throws SyscallError */
export function pipe(): { readonly read: number; readonly write: number } {
  const fds = Buffer.alloc(8)
  door('pipe2', () => ({ flags: 'O_CLOEXEC|O_NONBLOCK' }), () => pipe2(fds, O_CLOEXEC | O_NONBLOCK))
  return { read: fds.readInt32LE(0), write: fds.readInt32LE(4) }
}
