/*
 * Text as Go prints and reads it: image histories, messages and cache comments of Docker's builder hold such text, so ours must too.
 */

/** Whether Go's unicode.IsSpace holds for a character; JavaScript's `\s` also takes U+FEFF and not U+0085. */
export function isSpace(character: string): boolean {
  return spaces.test(character)
}

const spaces = /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/

/** strings.TrimLeftFunc(text, unicode.IsSpace) */
export function trimLeft(text: string): string {
  let start = 0
  while (start < text.length && isSpace(text[start] as string)) start++
  return text.slice(start)
}

/** strings.TrimSpace */
export function trimSpace(text: string): string {
  return trimRight(trimLeft(text), isSpace)
}

/** Takes characters off the end; a regular expression would look at every run of them in the text, and each from every beginning. */
export function trimRight(text: string, test: (character: string) => boolean): string {
  let end = text.length
  while (end > 0 && test(text[end - 1] as string)) end--
  return text.slice(0, end)
}

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"', '\\': '\\\\', '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v',
}

/** strconv.Quote: a Go string literal, as `%q` prints it. */
export function quote(text: string): string {
  let quoted = '"'
  for (const character of text) {
    const code = character.codePointAt(0) as number
    if (escapes[character] !== undefined) quoted += escapes[character]
    else if (character === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) quoted += character
    else if (code < 0x20 || code === 0x7f) quoted += `\\x${code.toString(16).padStart(2, '0')}`
    else if (code >= 0xd800 && code < 0xe000) quoted += '\\ufffd'
    else if (code < 0x10000) quoted += `\\u${code.toString(16).padStart(4, '0')}`
    else quoted += `\\U${code.toString(16).padStart(8, '0')}`
  }
  return `${quoted}"`
}

/** A list as `%q` prints it: `["a" "b"]`. */
export function quoteList(list: readonly string[]): string {
  return `[${list.map(quote).join(' ')}]`
}

/** A list as `%v` prints it: `[a b]`. */
export function showList(list: readonly string[]): string {
  return `[${list.join(' ')}]`
}
