import { EngineError } from '@engine/linux'

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
  return compilePath(pattern).test(path)
}

/** A pattern of {@link matchPath} as a regular expression. */
export function compilePath(pattern: string): RegExp {
  const characters = [...pattern]
  let source = '^'
  let at = 0
  while (at < characters.length) {
    const character = characters[at++] as string
    if (character === '*') source += '[^/]*'
    else if (character === '?') source += '[^/]'
    else if (character === '[') {
      const set = characterSet(characters, at)
      source += set.source
      at = set.next
    } else if (character === '\\') {
      const escaped = characters[at++]
      if (escaped === undefined) throw badPattern()
      source += literal(escaped)
    } else source += literal(character)
  }
  return new RegExp(`${source}$`, 'su')
}

/** `[…]`: at least one range, each end of which may be escaped; `-` and `]` must be. */
function characterSet(characters: readonly string[], start: number): { source: string; next: number } {
  let at = start
  const negated = characters[at] === '^'
  if (negated) at++
  const ranges: string[] = []
  const end = (): string => {
    let character = characters[at++]
    if (character === undefined || character === '-' || character === ']') throw badPattern()
    if (character === '\\') character = characters[at++]
    if (character === undefined || at >= characters.length) throw badPattern()
    return character
  }
  while (characters[at] !== ']' || ranges.length === 0) {
    const low = end()
    let high = low
    if (characters[at] === '-') {
      at++
      high = end()
    }
    // A range that is the wrong way round matches nothing, which is no error to Go.
    if ((low.codePointAt(0) as number) <= (high.codePointAt(0) as number)) ranges.push(`${literal(low)}-${literal(high)}`)
    else ranges.push('')
  }
  const set = ranges.join('')
  // Go lets a set match `/`, too.
  const source = set === '' ? (negated ? '[^]' : '[]') : `[${negated ? '^' : ''}${set}]`
  return { source, next: at + 1 }
}

function literal(character: string): string {
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`
}

function badPattern(): EngineError {
  return new EngineError('invalid-argument', 'syntax error in pattern')
}
