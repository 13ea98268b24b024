import { closeSync, openSync } from 'node:fs'
import { libc } from './libc.ts'
import { door } from './door.ts'
import { cString } from './c-string.ts'
import { fcntl } from './descriptor-flags.ts'

const MFD_CLOEXEC = 1
const MFD_ALLOW_SEALING = 2
const F_ADD_SEALS = 1033
/** F_SEAL_SEAL, SHRINK, GROW, WRITE. */
const everySeal = 0xf

const create = libc.func('int memfd_create(const char *, uint)') as (name: Buffer, flags: number) => number

/** memfd_create(2): a file in memory without a name, which survives execve when `closeOnExec` is false. */
export function memfdCreate(name: string, closeOnExec: boolean): number {
  return door('memfd_create', () => ({ name }), () => create(cString(name), closeOnExec ? MFD_CLOEXEC : 0))
}

/**
 * An empty, executable file without a name that nobody can ever write to: close-on-exec, open for reading only.
 * @throws SyscallError EACCES where executable memfds are forbidden (vm.memfd_noexec=2)
 */
export function emptyProgram(name: string): number {
  const writable = door('memfd_create', () => ({ name }), () => create(cString(name), MFD_CLOEXEC | MFD_ALLOW_SEALING))
  try {
    door('fcntl', () => ({ fd: writable, command: 'F_ADD_SEALS' }), () => fcntl(writable, F_ADD_SEALS, everySeal))
    return openSync(`/proc/self/fd/${writable}`, 'r')
  } finally {
    closeSync(writable)
  }
}
