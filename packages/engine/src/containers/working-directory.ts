import { EngineError, Errno, failedWith } from '@engine/linux'
import { mkdirAllInRoot, openRoot } from '@engine/linux/paths'

/**
 * Makes a container's working directory in its root when it is missing, by descriptors: its path and the links in the root are the
 * image's.
 * @throws EngineError `Cannot mkdir: /x is not a directory`
 */
export function makeWorkingDirectory(root: string, path: string): void {
  if (path === '' || path === '/') return
  using directory = openRoot(root)
  try {
    mkdirAllInRoot(directory.fd, path, 0o755).close()
  } catch (error) {
    if (failedWith(error, Errno.ENOTDIR)) throw new EngineError('invalid-argument', `Cannot mkdir: ${path} is not a directory`, { cause: error })
    throw error
  }
}
