import { constants } from 'node:fs'
import { syncfs } from '@engine/linux/file-at'
import { openInRoot } from '@engine/linux/paths'

/** Writes the whole file system of a directory to disk: one call instead of an fsync for each of a layer's files. Blocks. */
export function syncTree(rootFd: number): void {
  using directory = openInRoot(rootFd, '', constants.O_RDONLY | constants.O_DIRECTORY)
  syncfs(directory.fd)
}
