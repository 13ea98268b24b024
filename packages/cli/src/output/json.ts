/**
 * Indents JSON text as Go's json.Indent does, without reading its values: numbers beyond 2^53, the order of keys and the way strings are
 * escaped stay as the daemon sent them.
 */
export function indentJson(text: string, indent: string, depth = 0): string {
  let out = ''
  let level = depth
  const line = (): string => `\n${indent.repeat(level)}`
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === '"') {
      const end = stringEnd(text, at)
      out += text.slice(at, end)
      at = end - 1
    } else if (char === '{' || char === '[') {
      const close = nextVisible(text, at + 1)
      if (text[close] === '}' || text[close] === ']') {
        out += char + text[close]
        at = close
      } else {
        level++
        out += char + line()
      }
    } else if (char === '}' || char === ']') {
      level--
      out += line() + char
    } else if (char === ',') out += `,${line()}`
    else if (char === ':') out += ': '
    else if (!/\s/.test(char)) out += char
  }
  return out
}

function stringEnd(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function nextVisible(text: string, start: number): number {
  let at = start
  while (at < text.length && /\s/.test(text.charAt(at))) at++
  return at
}

/** JSON with `<`, `>` and `&` escaped, as Go's json.Marshal writes them. */
export function htmlSafeJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
