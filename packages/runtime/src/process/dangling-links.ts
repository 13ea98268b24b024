import { posix } from 'node:path'
import { Errno, failedWith } from '@engine/linux'
import { O_PATH, mkdirAllInRoot, openInRoot, openRoot } from '@engine/linux/paths'
import type { OciSpec } from '../spec.ts'

/**
 * Makes the directories that mounts are to lie in and that the image only has a link to: `/var/run -> /run` without a `/run`, as
 * images without a distribution often have it. A table can make a path, but not follow a link that leads nowhere. Runs in the
 * shim, on the container's root as the host has it, by openat2(2) inside it.
 */
export function makeBehindLinks(spec: OciSpec): void {
  const places = spec.mounts.map(({ destination }) => posix.normalize(destination))
  const parents = new Set(places.map((place) => posix.dirname(place)))
  // What lies in a mount is none of the root's business.
  const below = (parent: string): boolean => places.some((place) => parent === place || parent.startsWith(`${place}/`))
  using root = openRoot(spec.root.path)
  for (const parent of parents) {
    if (parent === '/' || below(parent)) continue
    try {
      openInRoot(root.fd, parent, O_PATH).close()
    } catch (error) {
      if (!failedWith(error, Errno.ENOENT)) continue
      mkdirAllInRoot(root.fd, parent, 0o755).close()
    }
  }
}
