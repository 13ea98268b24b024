import { matchGlob, parseGlob } from './glob.ts'

/** path.Clean: no `//`, no `.`, and `..` taken back as far as it goes; an empty path is `.`. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/')
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (!rooted) parts.push('..')
  }
  return (rooted ? '/' : '') + parts.join('/') || '.'
}

/** path.Join: what is not empty, joined and cleaned. */
export function joinPath(...parts: readonly string[]): string {
  const given = parts.filter((part) => part !== '')
  return given.length === 0 ? '' : cleanPath(given.join('/'))
}

/** path.Base: the last component; of nothing `.`, of the root `/`. */
export function baseName(path: string): string {
  if (path === '') return '.'
  return path.replace(/\/+$/, '').split('/').at(-1) || '/'
}

/** Whether a COPY source is a pattern and no plain path. */
export function hasWildcards(path: string): boolean {
  return /[*?[]/.test(path.replace(/\\[^]?/g, ''))
}

/**
 * filepath.Match: `*` is any number of characters but `/`, `?` one, `[a-z]` and `[^a-z]` one of a set, `\` escapes.
 * @throws EngineError invalid-argument `syntax error in pattern`
 */
export function matchPath(pattern: string, path: string): boolean {
  return matchGlob(parseGlob(pattern), path)
}
