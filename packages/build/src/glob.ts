import { EngineError } from '@engine/linux'

/*
 * Patterns for paths, matched in time that grows with pattern times path and no faster: Dockerfiles and .dockerignore files are
 * anybody's, and a regular expression made of `*a*a*a*b` can keep a process busy for years.
 */

/** A part of a pattern. */
type Token =
  /** One character that passes the test. */
  | { readonly kind: 'one'; readonly test: (character: string) => boolean }
  /** `*`: any characters but `/`. */
  | { readonly kind: 'star' }
  /** `**` at the end: any characters. */
  | { readonly kind: 'everything' }
  /** `**` before more: any number of directories, none included. */
  | { readonly kind: 'directories' }

export type Glob = readonly Token[]

const notSlash = (character: string): boolean => character !== '/'

/**
 * Reads a pattern of filepath.Match: `*`, `?`, `[a-z]`, `[^a-z]`, `\` escapes.
 * @param directories whether `**` means any number of directories, as in .dockerignore files; else it is two stars
 * @throws EngineError invalid-argument `syntax error in pattern`
 */
export function parseGlob(pattern: string, directories = false): Glob {
  const characters = [...pattern]
  const tokens: Token[] = []
  let at = 0
  while (at < characters.length) {
    const character = characters[at++] as string
    if (character === '*' && directories && characters[at] === '*') {
      at++
      if (characters[at] === '/') at++
      tokens.push({ kind: at === characters.length ? 'everything' : 'directories' })
    } else if (character === '*') {
      tokens.push({ kind: 'star' })
    } else if (character === '?') {
      tokens.push({ kind: 'one', test: notSlash })
    } else if (character === '[') {
      const set = parseSet(characters, at)
      tokens.push({ kind: 'one', test: set.test })
      at = set.next
    } else {
      const literal = character === '\\' ? characters[at++] : character
      if (literal === undefined) throw badPattern()
      tokens.push({ kind: 'one', test: (other) => other === literal })
    }
  }
  return tokens
}

/** Whether a pattern matches all of a text. */
export function matchGlob(glob: Glob, text: string): boolean {
  const characters = [...text]
  const end = characters.length
  // Which positions of the text can be reached with the tokens so far.
  let reached = new Uint8Array(end + 1)
  reached[0] = 1
  for (const token of glob) {
    const next = new Uint8Array(end + 1)
    let before = false
    for (let at = 0; at <= end; at++) {
      const previous = characters[at - 1]
      if (token.kind === 'one') {
        if (previous !== undefined && reached[at - 1] === 1 && token.test(previous)) next[at] = 1
        continue
      }
      if (token.kind === 'star' && previous === '/') before = false
      if (reached[at] === 1) before = true
      if (before && (token.kind !== 'directories' || reached[at] === 1 || previous === '/')) next[at] = 1
    }
    reached = next
  }
  return reached[end] === 1
}

/** `[…]`: at least one range, each end of which may be escaped; `-` and `]` must be. Go lets a set match `/`, too. */
function parseSet(characters: readonly string[], start: number): { test: (character: string) => boolean; next: number } {
  let at = start
  const negated = characters[at] === '^'
  if (negated) at++
  const ranges: (readonly [low: number, high: number])[] = []
  const end = (): number => {
    let character = characters[at++]
    if (character === undefined || character === '-' || character === ']') throw badPattern()
    if (character === '\\') character = characters[at++]
    if (character === undefined || at >= characters.length) throw badPattern()
    return character.codePointAt(0) as number
  }
  while (characters[at] !== ']' || ranges.length === 0) {
    const low = end()
    let high = low
    if (characters[at] === '-') {
      at++
      high = end()
    }
    // A range that is the wrong way round matches nothing, which is no error to Go.
    ranges.push([low, high])
  }
  const test = (character: string): boolean => {
    const code = character.codePointAt(0) as number
    return ranges.some(([low, high]) => low <= code && code <= high) !== negated
  }
  return { test, next: at + 1 }
}

function badPattern(): EngineError {
  return new EngineError('invalid-argument', 'syntax error in pattern')
}
