import { constants, fstatSync } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { listDirectory, openChild, openInRoot, O_PATH } from '@engine/linux/paths'
import { cleanPath, hasWildcards } from '../filepath.ts'
import { matchGlob, parseGlob, type Glob } from '../glob.ts'
import { contextPath } from './build-context.ts'
import type { Selection } from './selection.ts'

/** One thing that COPY or ADD copies: a file, or the content of a directory. */
export interface Source {
  /** Descriptor of the root that it is found in. */
  readonly rootFd: number
  /** Its path there; the name that its copy gets is the last component. */
  readonly path: string
  readonly directory: boolean
  /** ADD unpacks archives of the context, not those that it downloads. */
  readonly extract: boolean
  /** What of a directory is copied; undefined is everything. */
  readonly selection?: Selection | undefined
  /** `--parents`: number of the path's first components that its copy does not get. */
  readonly strip?: number
  /** Names what the root holds, see {@link FindOptions.version}. */
  readonly version?: string | undefined
}

export interface FindOptions {
  readonly extract: boolean
  readonly inContext: boolean
  /** `--parents`: `**` in patterns means any number of directories, and `/./` is where the copies' paths begin. */
  readonly parents?: boolean
  /** Names what the root holds: with the same name it has the same files. Undefined when that is not known. */
  readonly version?: string | undefined
}

/**
 * Finds what a source word of COPY or ADD names, which may be a pattern.
 * @param what says in errors where it was looked for: `file not found in build context …`
 * @throws EngineError invalid-argument with Docker's texts
 */
export function findSources(rootFd: number, word: string, options: FindOptions): Source[] {
  if (options.parents === true) return findWithParents(rootFd, word, options)
  const bare = word.replace(/^(?:\.{0,2}\/)+/, '')
  if (!hasWildcards(bare)) return [findSource(rootFd, bare, options)]
  return matchingPaths(rootFd, bare, false).map((path) => findSource(rootFd, path, options))
}

/**
 * The part of a path before `/./` says where to look, and is not part of the copy's path. In it `**` is but two stars, as everywhere
 * without `--parents`: BuildKit resolves it as a source (dispatchCopy), and only what comes after it as patterns.
 */
function findWithParents(rootFd: number, word: string, options: FindOptions): Source[] {
  const pivot = word.indexOf('/./')
  const place = pivot < 0 ? '' : word.slice(0, pivot).replaceAll(/\\[^]|\*+/g, (found) => (found.startsWith('*') ? '*' : found))
  const strip = cleanPath(`/${place}`).split('/').filter((part) => part !== '' && part !== '.').length
  const bare = cleanPath(`/${pivot < 0 ? word : place + word.slice(pivot)}`).slice(1)
  const paths = hasWildcards(bare) ? matchingPaths(rootFd, bare, true) : [bare]
  return paths.map((path) => ({ ...findSource(rootFd, path, options), strip }))
}

function findSource(rootFd: number, word: string, { extract, inContext, version }: FindOptions): Source {
  const path = contextPath(word)
  try {
    using found = openInRoot(rootFd, path, O_PATH)
    return { rootFd, path, directory: fstatSync(found.fd).isDirectory(), extract, version }
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) throw error
    const missing = `stat ${word}: file does not exist`
    const text = inContext ? `file not found in build context or excluded by .dockerignore: ${missing}` : missing
    throw new EngineError('invalid-argument', text, { cause: error })
  }
}

/** Paths below a root that a pattern matches, in their order. Links to directories are not entered. */
function matchingPaths(rootFd: number, pattern: string, anyDepth: boolean): string[] {
  let glob: Glob
  try {
    glob = parseGlob(pattern, anyDepth)
  } catch {
    // What is no pattern matches nothing.
    return []
  }
  const depth = anyDepth && pattern.includes('**') ? Number.POSITIVE_INFINITY : pattern.split('/').length
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
