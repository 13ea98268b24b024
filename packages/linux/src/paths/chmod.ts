import { chmodSync } from 'node:fs'
import { procPath } from './open.ts'

/** Sets the permission bits of what a descriptor refers to, O_PATH as well (which fchmod(2) refuses). It must not be a symbolic link. */
export function chmodDescriptor(fd: number, mode: number): void {
  chmodSync(procPath(fd), mode)
}
