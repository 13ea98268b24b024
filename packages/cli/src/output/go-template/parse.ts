import { lex, TemplateError, unquote, type Token } from './lex.ts'

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null; readonly text: string }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string; readonly at: number }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }

/** An operand and the fields taken of it: `.State.Pid`, `$v.Name`, `(index . 0).Id`. */
export interface Term {
  readonly operand: Operand
  readonly fields: readonly { readonly name: string; readonly at: number }[]
  readonly at: number
  /** As it stands in the template. */
  readonly text: string
}

/** A term and its arguments. */
export interface Command {
  readonly terms: readonly Term[]
  /** As it stands in the template. */
  readonly text: string
}

export interface Pipe {
  /** Variables that take the result; `range` has up to two. */
  readonly variables: readonly string[]
  readonly declares: boolean
  readonly commands: readonly Command[]
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | { readonly kind: 'if' | 'with' | 'range'; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: 'break' | 'continue' }

/** Parses a template of Go's text/template, without define, template and block. @throws TemplateError with Go's text */
export function parseTemplate(source: string, functions: ReadonlySet<string>): readonly Node[] {
  const parser = new Parser(lex(source), functions)
  const { nodes, ended } = parser.nodes([])
  if (ended !== undefined) throw new TemplateError(`unexpected {{${ended}}}`)
  return nodes
}

const keywords = new Set(['if', 'with', 'range', 'else', 'end', 'break', 'continue', 'define', 'template', 'block'])

class Parser {
  readonly #tokens: readonly Token[]
  readonly #functions: ReadonlySet<string>
  #at = 0

  constructor(tokens: readonly Token[], functions: ReadonlySet<string>) {
    this.#tokens = tokens
    this.#functions = functions
  }

  /** Reads nodes up to one of `enders`, which is taken. */
  nodes(enders: readonly string[]): { nodes: Node[]; ended: string | undefined } {
    const nodes: Node[] = []
    for (let token = this.#next(); token !== undefined; token = this.#next()) {
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text })
        continue
      }
      const first = this.#peek()
      if (first?.kind === 'word' && keywords.has(first.text)) {
        this.#at++
        if (first.text === 'else' || first.text === 'end') {
          if (!enders.includes(first.text)) throw new TemplateError(`unexpected {{${first.text}}}`)
          if (first.text === 'end') this.#close()
          return { nodes, ended: first.text }
        }
        nodes.push(this.#control(first.text))
      } else {
        const pipe = this.#pipe('command')
        this.#close()
        nodes.push({ kind: 'action', pipe })
      }
    }
    if (enders.length > 0) throw new TemplateError('unexpected EOF')
    return { nodes, ended: undefined }
  }

  #control(word: string): Node {
    if (word === 'break' || word === 'continue') {
      this.#close()
      return { kind: word }
    }
    if (word !== 'if' && word !== 'with' && word !== 'range') throw new TemplateError(`{{${word}}} is not supported`)
    const pipe = this.#pipe(word)
    this.#close()
    const { nodes: body, ended } = this.nodes(['else', 'end'])
    return { kind: word, pipe, body, otherwise: ended === 'else' ? this.#otherwise() : [] }
  }

  #otherwise(): Node[] {
    const next = this.#peek()
    if (next?.kind === 'word' && (next.text === 'if' || next.text === 'with')) {
      this.#at++
      return [this.#control(next.text)]
    }
    this.#close()
    return this.nodes(['end']).nodes
  }

  #pipe(context: string): Pipe {
    const { variables, declares } = this.#declaration()
    const commands: Command[] = []
    for (;;) {
      const terms: Term[] = []
      while (this.#startsTerm()) terms.push(this.#term())
      if (terms.length === 0) throw new TemplateError(commands.length === 0 ? `missing value for ${context}` : 'missing value for command')
      commands.push({ terms, text: terms.map(({ text }) => text).join(' ') })
      if (!this.#takes('|')) return { variables, declares, commands }
    }
  }

  #declaration(): { variables: string[]; declares: boolean } {
    const start = this.#at
    const variables: string[] = []
    while (this.#peek()?.kind === 'variable') {
      variables.push(this.#next()?.text ?? '')
      if (this.#takes(',')) continue
      if (this.#takes(':=')) return { variables, declares: true }
      if (this.#takes('=')) return { variables, declares: false }
      break
    }
    this.#at = start
    return { variables: [], declares: false }
  }

  #startsTerm(): boolean {
    const token = this.#peek()
    if (token === undefined || token.kind === 'close') return false
    return token.kind !== 'symbol' || token.text === '(' || token.text === '.'
  }

  #term(): Term {
    const first = this.#next() as Token
    const { operand, fields } = this.#operand(first)
    let text = first.text
    for (let next = this.#peek(); next?.kind === 'field' && !next.spaceBefore; next = this.#peek()) {
      this.#at++
      fields.push({ name: next.text.slice(1), at: next.at })
      text += next.text
    }
    return { operand, fields, at: first.at, text: operand.kind === 'pipe' ? `(${operand.pipe.commands.map((command) => command.text).join(' | ')})${text.slice(1)}` : text }
  }

  #operand(token: Token): { operand: Operand; fields: { name: string; at: number }[] } {
    const plain = (operand: Operand): { operand: Operand; fields: [] } => ({ operand, fields: [] })
    const literal = (value: string | number | boolean | null): { operand: Operand; fields: [] } => plain({ kind: 'literal', value, text: token.text })
    switch (token.kind) {
      case 'field': return { operand: { kind: 'dot' }, fields: [{ name: token.text.slice(1), at: token.at }] }
      case 'variable': return plain({ kind: 'variable', name: token.text })
      case 'string': return literal(unquote(token.text))
      case 'char': return literal(unquote(token.text).codePointAt(0) ?? 0)
      case 'number': return literal(Number(token.text.replaceAll('_', '')))
      case 'word':
        if (token.text === 'true' || token.text === 'false') return literal(token.text === 'true')
        if (token.text === 'nil') return literal(null)
        if (!this.#functions.has(token.text)) throw new TemplateError(`function "${token.text}" not defined`)
        return plain({ kind: 'function', name: token.text, at: token.at })
      default: break
    }
    if (token.text === '.') return plain({ kind: 'dot' })
    if (token.text !== '(') throw new TemplateError(`unexpected <${token.text}> in command`)
    const pipe = this.#pipe('parenthesized pipeline')
    if (!this.#takes(')')) throw new TemplateError('unclosed left paren')
    return plain({ kind: 'pipe', pipe })
  }

  #takes(symbol: string): boolean {
    const token = this.#peek()
    if (token?.kind !== 'symbol' || token.text !== symbol) return false
    this.#at++
    return true
  }

  #close(): void {
    const token = this.#next()
    if (token?.kind !== 'close') throw new TemplateError(`unexpected <${token?.text ?? 'EOF'}> in command`)
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at]
  }

  #next(): Token | undefined {
    return this.#tokens[this.#at++]
  }
}
