import { libc } from './libc.ts'
import { door } from './door.ts'
import { failedWith } from './syscall-error.ts'
import { Errno } from './errno.ts'

const flock = libc.func('int flock(int, int)') as (fd: number, operation: number) => number
const LOCK_EX = 2
const LOCK_NB = 4

/** flock(2) LOCK_EX without waiting; held until the last duplicate of the open file is closed. @returns whether it was to be had */
export function tryLock(fd: number): boolean {
  try {
    door('flock', () => ({ fd, operation: 'LOCK_EX|LOCK_NB' }), () => flock(fd, LOCK_EX | LOCK_NB))
    return true
  } catch (error) {
    if (failedWith(error, Errno.EAGAIN)) return false
    throw error
  }
}
