import { readdirSync } from 'node:fs'
import { procPath } from './open.ts'

/** The names in an open directory, as bytes, without `.` and `..`, sorted by bytes. */
export function listDirectory(dirFd: number): Buffer[] {
  return readdirSync(procPath(dirFd), { encoding: 'buffer' }).sort(Buffer.compare)
}
