/** What a template's text is made of: literal text, and the tokens between `{{` and `}}`. */
export type Token =
  | { readonly kind: 'text'; readonly text: string; readonly at: number }
  | { readonly kind: 'open' | 'close'; readonly text: string; readonly at: number }
  | { readonly kind: TokenKind; readonly text: string; readonly at: number; readonly spaceBefore: boolean }

type TokenKind = 'field' | 'variable' | 'word' | 'string' | 'char' | 'number' | 'symbol'

/** A template that cannot be read. The message is text/template's. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

/** Splits a template as Go's text/template/parse does. @throws TemplateError */
export function lex(source: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  let trimNext = false
  while (at < source.length) {
    const open = source.indexOf('{{', at)
    const end = open === -1 ? source.length : open
    let text = source.slice(at, end)
    if (trimNext) text = text.trimStart()
    const trimThis = open !== -1 && /^\{\{-\s/.test(source.slice(open, open + 4))
    if (trimThis) text = text.trimEnd()
    if (text !== '') tokens.push({ kind: 'text', text, at })
    if (open === -1) break
    const inside = open + (trimThis ? 3 : 2)
    const comment = /^\s*\/\*[\s\S]*?\*\/(\s+-)?\}\}/.exec(source.slice(inside))
    if (comment !== null) {
      at = inside + comment[0].length
      trimNext = comment[1] !== undefined
      continue
    }
    tokens.push({ kind: 'open', text: '{{', at: open })
    const close = lexAction(source, inside, tokens)
    at = close.end
    trimNext = close.trims
  }
  return tokens
}

const patterns: readonly (readonly [TokenKind, RegExp])[] = [
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['number', /[+-]?(0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*\.?[0-9_]*([eE][+-]?[0-9]+)?)/y],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['char', /'(?:[^'\\\n]|\\.)+'/y],
  ['symbol', /:=|[=|(),.]/y],
]

function lexAction(source: string, start: number, tokens: Token[]): { end: number; trims: boolean } {
  let at = start
  for (;;) {
    const before = at
    while (at < source.length && /\s/.test(source.charAt(at))) at++
    const spaceBefore = at > before
    if (spaceBefore && source.startsWith('-}}', at)) {
      tokens.push({ kind: 'close', text: '}}', at })
      return { end: at + 3, trims: true }
    }
    if (source.startsWith('}}', at)) {
      tokens.push({ kind: 'close', text: '}}', at })
      return { end: at + 2, trims: false }
    }
    if (at >= source.length) throw new TemplateError('unclosed action')
    const found = match(source, at)
    tokens.push({ ...found, at, spaceBefore })
    at += found.text.length
  }
}

function match(source: string, at: number): { kind: TokenKind; text: string } {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at
    const text = pattern.exec(source)?.[0]
    if (text !== undefined) return { kind, text }
  }
  const char = source.charAt(at)
  if (char === '"') throw new TemplateError('unterminated quoted string')
  if (char === '`') throw new TemplateError('unterminated raw quoted string')
  if (char === '\'') throw new TemplateError('unterminated character constant')
  throw new TemplateError(`unexpected ${JSON.stringify(char)} in operand`)
}

/** The value of a Go string literal. */
export function unquote(literal: string): string {
  if (literal.startsWith('`')) return literal.slice(1, -1)
  return literal.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/g, (_, code: string) => {
    if (/^[xuU]/.test(code) && code.length > 1) return String.fromCodePoint(Number.parseInt(code.slice(1), 16))
    if (/^[0-7]{3}$/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8))
    return ({ a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' } as Record<string, string>)[code] ?? code
  })
}
