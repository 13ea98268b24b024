import { EngineError } from '@engine/linux'

/*
 * Patterns of sh(1) in `${name#pattern}`: `?` is one character, `*` any number of them, `\` escapes these. Bracket expressions are
 * not there, as in BuildKit. No wildcard matches a line's end. The time grows with pattern times value and no faster.
 */

/** Longest pattern, in characters. */
const maxPattern = 4096

/** A character, or what a wildcard is. */
type Token = string | typeof one | typeof many
const one = Symbol('?')
const many = Symbol('*')

/** `${name#pattern}` (shortest match) and `${name##pattern}` (longest). @throws EngineError invalid-argument for a bad escape */
export function removePrefix(pattern: string, value: string, greedy: boolean): string {
  const characters = [...value]
  const end = matchEnds(parse(pattern), characters, greedy)[0] as number
  return end < 0 ? value : characters.slice(end).join('')
}

/** `${name%pattern}` and `${name%%pattern}`: both are turned round. */
export function removeSuffix(pattern: string, value: string, greedy: boolean): string {
  const characters = [...value].toReversed()
  const end = matchEnds(parse(pattern).toReversed(), characters, greedy)[0] as number
  return end < 0 ? value : characters.slice(end).toReversed().join('')
}

/** `${name/pattern/replacement}`, or with `all` `${name//pattern/replacement}`: the longest match at each place. */
export function replacePattern(pattern: string, value: string, replacement: string, all: boolean): string {
  const characters = [...value]
  const ends = matchEnds(parse(pattern), characters, true)
  let text = ''
  let at = 0
  let lastEnd = -1
  for (; at <= characters.length; ) {
    const end = ends[at] as number
    // An empty match right behind another does not count.
    if (end >= 0 && (end > at || at !== lastEnd) && (all || lastEnd < 0)) {
      text += replacement
      lastEnd = end
      if (end > at) {
        at = end
        continue
      }
    }
    text += characters[at] ?? ''
    at++
  }
  return text
}

/** For each place of a text, where a match that begins there ends: the last such end, or the first; -1 where none begins. */
function matchEnds(tokens: readonly Token[], characters: readonly string[], longest: boolean): Int32Array {
  const count = tokens.length
  const ends = new Int32Array(characters.length + 1)
  const better = (a: number, b: number): number => (a < 0 ? b : b < 0 ? a : longest ? Math.max(a, b) : Math.min(a, b))
  // For the tokens from the index on: of the place behind this one, and of this one.
  let behind = new Int32Array(count + 1).fill(-1)
  let here = new Int32Array(count + 1)
  for (let at = characters.length; at >= 0; at--) {
    here[count] = at
    const character = characters[at]
    for (let index = count - 1; index >= 0; index--) {
      const token = tokens[index]
      const isAny = character !== undefined && character !== '\n'
      if (token === many) here[index] = better(here[index + 1] as number, isAny ? (behind[index] as number) : -1)
      else here[index] = (token === one ? isAny : token === character) ? (behind[index + 1] as number) : -1
    }
    ends[at] = here[0] as number
    const spare = behind
    behind = here
    here = spare
  }
  return ends
}

function parse(pattern: string): Token[] {
  const characters = [...pattern]
  if (characters.length > maxPattern) throw new EngineError('invalid-argument', `a pattern in substitution is longer than ${maxPattern} characters`)
  const tokens: Token[] = []
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string
    if (character === '*') tokens.push(many)
    else if (character === '?') tokens.push(one)
    else if (character !== '\\') tokens.push(character)
    else {
      const escaped = characters[at + 1]
      // `}` and `/` are escaped for the sake of `${}`; the escape is no part of the pattern.
      if (escaped === '}' || escaped === '/') continue
      if (escaped !== '*' && escaped !== '?' && escaped !== '\\') {
        throw new EngineError('invalid-argument', `invalid pattern (${pattern}) in substitution: invalid escape '\\${escaped ?? '\ufffd'}'`)
      }
      tokens.push(escaped)
      at++
    }
  }
  return tokens
}
