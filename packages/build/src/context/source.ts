import { constants, fstatSync } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { listDirectory, openChild, openInRoot, O_PATH } from '@engine/linux/paths'
import { hasWildcards } from '../filepath.ts'
import { matchGlob, parseGlob, type Glob } from '../glob.ts'
import { contextPath } from './build-context.ts'

/** One thing that COPY or ADD copies: a file, or the content of a directory. */
export interface Source {
  /** Descriptor of the root that it is found in. */
  readonly rootFd: number
  /** Its path there; the name that its copy gets is the last component. */
  readonly path: string
  readonly directory: boolean
  /** ADD unpacks archives of the context, not those that it downloads. */
  readonly extract: boolean
}

/**
 * Finds what a source word of COPY or ADD names, which may be a pattern.
 * @param what says in errors where it was looked for: `file not found in build context …`
 * @throws EngineError invalid-argument with Docker's texts
 */
export function findSources(rootFd: number, word: string, options: { readonly extract: boolean; readonly inContext: boolean }): Source[] {
  const bare = word.replace(/^\//, '').replace(/^\.\//, '')
  if (!hasWildcards(bare)) return [findSource(rootFd, bare, options)]
  return matchingPaths(rootFd, bare).map((path) => findSource(rootFd, path, options))
}

function findSource(rootFd: number, word: string, { extract, inContext }: { readonly extract: boolean; readonly inContext: boolean }): Source {
  const path = contextPath(word)
  try {
    using found = openInRoot(rootFd, path, O_PATH)
    return { rootFd, path, directory: fstatSync(found.fd).isDirectory(), extract }
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) throw error
    const missing = `stat ${word}: file does not exist`
    const text = inContext ? `file not found in build context or excluded by .dockerignore: ${missing}` : missing
    throw new EngineError('invalid-argument', text, { cause: error })
  }
}

/** Paths below a root that a pattern matches, in their order. Links to directories are not entered. */
function matchingPaths(rootFd: number, pattern: string): string[] {
  let glob: Glob
  try {
    glob = parseGlob(pattern)
  } catch {
    // What is no pattern matches nothing.
    return []
  }
  const depth = pattern.split('/').length
  const matches: string[] = []
  const walk = (dirFd: number, above: string, level: number): void => {
    for (const name of listDirectory(dirFd)) {
      const path = above + name.toString()
      if (matchGlob(glob, path)) matches.push(path)
      if (level >= depth) continue
      using entry = openChild(dirFd, name, O_PATH)
      if (fstatSync(entry.fd).isDirectory()) walk(entry.fd, `${path}/`, level + 1)
    }
  }
  using root = openInRoot(rootFd, '', O_PATH | constants.O_DIRECTORY)
  walk(root.fd, '', 1)
  return matches
}
