import { Errno, failedWith } from '@engine/linux'
import { readlinkat } from '@engine/linux/file-at'
import { joinComponents } from '../layer/entry-path.ts'
import type { View } from './view.ts'

/** What `docker cp` asks of a path before it copies. */
export interface PathStat {
  readonly size: number
  /** st_mode */
  readonly mode: number
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint
  /** Of a symbolic link: where it leads in the container in the end, as far as that exists; else ''. */
  readonly linkTarget: string
}

/** @param path see {@link View.resolve}; a link at the end is not followed */
export function statView(view: View, path: Buffer): PathStat {
  using place = view.resolve(path, false)
  const { size, mode, mtimeNs } = place.stats
  return { size: Number(size), mode: Number(mode), mtime: mtimeNs, linkTarget: place.stats.isSymbolicLink() ? followed(view, place.path, place.fd) : '' }
}

function followed(view: View, path: readonly Buffer[], fd: number): string {
  try {
    using target = view.resolve(joinComponents(path), true)
    return `/${joinComponents(target.path).toString()}`
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR)) throw error
  }
  const target = readlinkat(fd, '')
  return cleaned(target[0] === 0x2f ? target.toString() : `/${joinComponents(path.slice(0, -1)).toString()}/${target.toString()}`)
}

/** Takes `.` and `..` out of an absolute path, by text: what a dangling link names is nowhere else. */
function cleaned(path: string): string {
  const components: string[] = []
  for (const component of path.split('/')) {
    if (component === '..') components.pop()
    else if (component !== '' && component !== '.') components.push(component)
  }
  return `/${components.join('/')}`
}
