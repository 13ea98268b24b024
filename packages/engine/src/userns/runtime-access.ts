import { chmodSync, chownSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { EnginePaths } from '../paths.ts'
import type { Remap } from './remap.ts'

/**
 * Lets another runtime come to a container's root: runc goes there by its path when it is the container's root already. The directories
 * above are given to that one's group, which may pass through them and see nothing, as Docker does it; engine's own runtime needs none of that.
 * @param root path of the mounted root, below the data root
 */
export function openWayTo(root: string, paths: Pick<EnginePaths, 'dataRoot'>, { root: { gid } }: Remap): void {
  for (let directory = dirname(root); directory.startsWith(paths.dataRoot); directory = dirname(directory)) {
    const stats = statSync(directory)
    // chown takes setuid bits away, of which there are none; the mode comes after, so that no other group had it in between.
    if (stats.gid !== gid) chownSync(directory, stats.uid, gid)
    if ((stats.mode & 0o010) === 0) chmodSync(directory, (stats.mode & 0o7777) | 0o010)
  }
}
