import { fstatSync } from 'node:fs'
import { listDirectory, openChild, openInRoot, O_PATH } from '@engine/linux/paths'
import type { IgnoreMatcher } from '../dockerignore.ts'

/** Which paths below a directory are copied, relative to it (bytes as latin1). A directory is in it when something below it is. */
export type Selection = ReadonlySet<string>

/**
 * What is left of a directory when patterns leave some out.
 * @param path the directory's path in the root
 */
export function selectBelow(rootFd: number, path: string, exclude: IgnoreMatcher): Selection {
  const selected = new Set<string>()
  const walk = (dirFd: number, above: string): boolean => {
    let any = false
    for (const name of listDirectory(dirFd)) {
      const relative = above + name.toString('latin1')
      const ignored = exclude.ignores(above + name.toString())
      if (ignored && !exclude.hasExceptions) continue
      using entry = openChild(dirFd, name, O_PATH)
      const below = fstatSync(entry.fd).isDirectory() && walk(entry.fd, `${relative}/`)
      if (ignored && !below) continue
      selected.add(relative)
      any = true
    }
    return any
  }
  using top = openInRoot(rootFd, path, O_PATH)
  walk(top.fd, '')
  return selected
}
