import { libc } from './libc.ts'
import { door } from './door.ts'

const create = libc.func('int eventfd(uint, int)') as (initial: number, flags: number) => number
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000

/** eventfd(2), close-on-exec and non-blocking: a counter of eight bytes, readable while it is not 0. */
export function eventfdCreate(): number {
  return door('eventfd', () => ({ flags: 'EFD_CLOEXEC|EFD_NONBLOCK' }), () => create(0, EFD_CLOEXEC | EFD_NONBLOCK))
}
