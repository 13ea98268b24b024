import { libc } from './libc.ts'
import { door } from './door.ts'
import { cString } from './c-string.ts'

const create = libc.func('int memfd_create(const char *, uint)') as (name: Buffer, flags: number) => number

/** memfd_create(2): a file in memory without a name, which survives execve when `closeOnExec` is false. */
export function memfdCreate(name: string, closeOnExec: boolean): number {
  return door('memfd_create', () => ({ name }), () => create(cString(name), closeOnExec ? 1 : 0))
}
