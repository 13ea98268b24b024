import { fstatSync } from 'node:fs'
import { utimensat } from '@engine/linux/file-at'
import { walkTree } from './walk.ts'

/**
 * Makes no time in a tree later than a moment, so that a layer does not tell when it was made
 * (https://reproducible-builds.org/specs/source-date-epoch/). Synchronous: runs in a worker.
 * @param seconds since the epoch
 */
export function clampTimes(rootFd: number, seconds: number): void {
  const latest = BigInt(seconds) * 1_000_000_000n
  for (const { parentFd, name, stats } of walkTree(rootFd)) {
    if (stats.mtimeNs > latest) utimensat(parentFd, name, latest, latest)
  }
  if (fstatSync(rootFd, { bigint: true }).mtimeNs > latest) utimensat(rootFd, '.', latest, latest)
}
