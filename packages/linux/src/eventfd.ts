import { readSync, writeSync } from 'node:fs'
import { libc } from './libc.ts'
import { door } from './door.ts'

const create = libc.func('int eventfd(uint, int)') as (initial: number, flags: number) => number
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000

/** eventfd(2), close-on-exec and non-blocking: a counter of eight bytes, readable while it is not 0. */
export function eventfdCreate(): number {
  return door('eventfd', () => ({ flags: 'EFD_CLOEXEC|EFD_NONBLOCK' }), () => create(0, EFD_CLOEXEC | EFD_NONBLOCK))
}

const one = Buffer.from(new BigUint64Array([1n]).buffer)

/** Adds one to an eventfd: whoever waits for it wakes. */
export function eventfdSignal(fd: number): void {
  writeSync(fd, one)
}

/** Takes an eventfd's count, so that it is waited for anew. */
export function eventfdClear(fd: number): void {
  try {
    readSync(fd, Buffer.alloc(8))
  } catch (error) {
    // Nobody has signalled since.
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
  }
}
