import { constants, fstatSync, openSync, closeSync } from 'node:fs'
import { O_PATH, Resolve, openat2 } from '@engine/linux/openat2'

/** What a path inside a container's root names, seen from outside: for telling why an execve failed. */
export function statInRoot(root: string, path: string): 'file' | 'directory' | undefined {
  const directory = openSync(root, constants.O_DIRECTORY)
  try {
    using opened = openat2(directory, path, O_PATH, Resolve.IN_ROOT | Resolve.NO_MAGICLINKS)
    return fstatSync(opened.fd).isDirectory() ? 'directory' : 'file'
  } catch {
    return undefined
  } finally {
    closeSync(directory)
  }
}
