import { fstatSync } from 'node:fs'
import { O_PATH, openInRoot, openRoot } from '@engine/linux/paths'

/** What a path inside a container's root names, seen from outside: for telling why an execve failed. */
export function statInRoot(root: string, path: string): 'file' | 'directory' | undefined {
  try {
    using directory = openRoot(root)
    using opened = openInRoot(directory.fd, path, O_PATH)
    return fstatSync(opened.fd).isDirectory() ? 'directory' : 'file'
  } catch {
    return undefined
  }
}
