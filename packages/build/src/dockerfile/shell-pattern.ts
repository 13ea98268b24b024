import { EngineError } from '@engine/linux'

/*
 * Patterns of sh(1) in `${name#pattern}`: `?` is one character, `*` any number of them, `\` escapes these. Bracket expressions are
 * not there, as in BuildKit.
 */

/** `${name#pattern}` (shortest match) and `${name##pattern}` (longest). @throws EngineError invalid-argument for a bad escape */
export function removePrefix(pattern: string, value: string, greedy: boolean): string {
  const match = compile(pattern, greedy, true).exec(value)
  return match === null ? value : value.slice(match[0].length)
}

/** `${name%pattern}` and `${name%%pattern}`: regular expressions find no shortest match at the end, so both are turned round. */
export function removeSuffix(pattern: string, value: string, greedy: boolean): string {
  return reverse(removePrefix(reversePattern(pattern), reverse(value), greedy))
}

/** `${name/pattern/replacement}`, or with `all` `${name//pattern/replacement}`. */
export function replacePattern(pattern: string, value: string, replacement: string, all: boolean): string {
  const expression = compile(pattern, true, false)
  return value.replace(all ? new RegExp(expression, 'gu') : expression, () => replacement)
}

function compile(pattern: string, greedy: boolean, anchored: boolean): RegExp {
  const characters = [...pattern]
  let source = anchored ? '^' : ''
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string
    if (character === '*') source += greedy ? '[^\\n]*' : '[^\\n]*?'
    else if (character === '?') source += '[^\\n]'
    else if (character === '\\') {
      const escaped = characters[at + 1]
      // `}` and `/` are escaped for the sake of `${}`; the escape is no part of the pattern.
      if (escaped === '}' || escaped === '/') continue
      if (escaped !== '*' && escaped !== '?' && escaped !== '\\') {
        const cause = `invalid escape '\\${escaped ?? '\ufffd'}'`
        throw new EngineError('invalid-argument', `invalid pattern (${pattern}) in substitution: ${cause}`)
      }
      source += `\\${escaped}`
      at++
    } else source += character.replace(/[[\]{}.+()|^$/]/, '\\$&')
  }
  return new RegExp(source, 'u')
}

function reverse(text: string): string {
  return [...text].toReversed().join('')
}

/** Turns a pattern round and keeps each escape before what it escapes. */
function reversePattern(pattern: string): string {
  return (pattern.match(/\\[^]|[^]/gu) ?? []).toReversed().join('')
}
