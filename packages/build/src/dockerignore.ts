import { EngineError } from '@engine/linux'
import { cleanPath } from './filepath.ts'
import { matchGlob, parseGlob } from './glob.ts'

/**
 * The patterns of a .dockerignore file: one a line, `#` begins a comment, `!` takes paths back in.
 * @param text the file's content
 */
export function readDockerignore(text: string): string[] {
  const patterns: string[] = []
  for (const line of text.replace(/^\ufeff/, '').split('\n')) {
    if (line.startsWith('#')) continue
    let pattern = line.trim()
    if (pattern === '') continue
    const inverted = pattern.startsWith('!')
    if (inverted) pattern = pattern.slice(1).trim()
    if (pattern !== '') {
      pattern = cleanPath(pattern)
      // Patterns are relative to the context whether they begin with a slash or not.
      if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1)
    }
    patterns.push(inverted ? `!${pattern}` : pattern)
  }
  return patterns
}

interface Pattern {
  readonly inverted: boolean
  readonly matches: (path: string) => boolean
}

/** Tells which paths of a build context a list of patterns leaves out; later patterns win over earlier ones. */
export class IgnoreMatcher {
  readonly #patterns: readonly Pattern[]

  /** @throws EngineError invalid-argument for a pattern that is none */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => pattern.trim()).filter((pattern) => pattern !== '').map(compile)
  }

  /** Whether some pattern takes paths back in, so that below an ignored directory there may be more. */
  get hasExceptions(): boolean {
    return this.#patterns.some((pattern) => pattern.inverted)
  }

  /** Whether a path (relative, with slashes) is ignored, itself or with a directory above it. */
  ignores(path: string): boolean {
    const parts = path.split('/')
    const above = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
    let ignored = false
    for (const { inverted, matches } of this.#patterns) {
      // Only a pattern that would change the answer is looked at.
      if (inverted !== ignored) continue
      if (matches(path) || above.some(matches)) ignored = !inverted
    }
    return ignored
  }
}

function compile(written: string): Pattern {
  let pattern = cleanPath(written)
  const inverted = pattern.startsWith('!')
  if (inverted) {
    pattern = pattern.slice(1)
    if (pattern === '') throw new EngineError('invalid-argument', 'illegal exclusion pattern: "!"')
  }
  const glob = parseGlob(pattern, true)
  const plainEnd = /^\*\*([^*?[\]\\]*)$/.exec(pattern)?.[1]
  // `**` and plain text after it matches at the end of any path, in the middle of a name as well (`**.go`).
  if (plainEnd !== undefined) return { inverted, matches: (path) => path.endsWith(plainEnd) || path === plainEnd.slice(1) }
  return { inverted, matches: (path) => matchGlob(glob, path) }
}
