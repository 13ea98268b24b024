import { TemplateError } from './lex.ts'
import { functionNames, functions, type Callables } from './functions.ts'
import { parseTemplate, type Command, type Node, type Pipe, type Term } from './parse.ts'
import { isTrue, Nil, Row, show, sorted, Struct, type Value } from './value.ts'

/** A template that could be read but not carried out on its data. The message is text/template's. */
export class ExecutionError extends Error {
  override readonly name = 'ExecutionError'
}

/** A template ready to be carried out on data. */
export type Template = (data: Value) => string

/**
 * Compiles a template of Go's text/template.
 * @param callables what its functions do; a table's header is made with other ones
 * @throws TemplateError `template: :1: …`; the template itself throws ExecutionError
 */
export function compile(source: string, callables: Callables = functions): Template {
  let nodes: readonly Node[]
  try {
    nodes = parseTemplate(source, functionNames)
  } catch (error) {
    if (error instanceof TemplateError) throw new TemplateError(`template: :1: ${error.message}`)
    throw error
  }
  return (data) => {
    const run = new Run(source, data, callables)
    run.nodes(nodes, data)
    return run.out
  }
}

type Flow = 'on' | 'break' | 'continue'

class Run {
  out = ''
  readonly #source: string
  readonly #variables: [string, Value][]
  readonly #callables: Callables

  constructor(source: string, data: Value, callables: Callables) {
    this.#source = source
    this.#callables = callables
    this.#variables = [['$', data]]
  }

  nodes(nodes: readonly Node[], dot: Value): Flow {
    for (const node of nodes) {
      const flow = this.#node(node, dot)
      if (flow !== 'on') return flow
    }
    return 'on'
  }

  #node(node: Node, dot: Value): Flow {
    switch (node.kind) {
      case 'text': this.out += node.text; return 'on'
      case 'action': {
        const value = this.#pipe(node.pipe, dot)
        if (node.pipe.variables.length === 0) this.out += show(value)
        return 'on'
      }
      case 'break': case 'continue': return node.kind
      default: break
    }
    const depth = this.#variables.length
    try {
      if (node.kind === 'range') return this.#range(node.pipe, node.body, node.otherwise, dot)
      const value = this.#pipe(node.pipe, dot)
      if (!isTrue(value)) return this.nodes(node.otherwise, dot)
      return this.nodes(node.body, node.kind === 'with' ? value : dot)
    } finally {
      this.#variables.length = depth
    }
  }

  #range(pipe: Pipe, body: readonly Node[], otherwise: readonly Node[], dot: Value): Flow {
    const over = this.#pipe({ ...pipe, variables: [] }, dot)
    const entries = this.#entries(over, pipe)
    if (entries.length === 0) return this.nodes(otherwise, dot)
    const depth = this.#variables.length
    const [first, second] = pipe.variables
    for (const [key, item] of entries) {
      this.#variables.length = depth
      const value = second === undefined ? item : key
      if (first !== undefined) this.#assign(first, value, pipe.declares)
      if (second !== undefined) this.#assign(second, item, pipe.declares)
      if (this.nodes(body, item) === 'break') break
    }
    return 'on'
  }

  #entries(over: Value, pipe: Pipe): [Value, Value][] {
    if (Array.isArray(over)) return over.map((item: Value, i): [Value, Value] => [i, item])
    if (over === null || over === undefined || over instanceof Nil) return []
    if (typeof over === 'number') return Array.from({ length: over }, (_, i): [Value, Value] => [i, i])
    if (typeof over === 'object' && !(over instanceof Struct) && !(over instanceof Row)) return sorted(over)
    throw this.#failure(pipe.commands[0]?.terms[0], `range can't iterate over ${show(over)}`)
  }

  #pipe(pipe: Pipe, dot: Value): Value {
    let value: Value
    for (const [i, command] of pipe.commands.entries()) value = this.#command(command, dot, i === 0 ? [] : [value])
    for (const name of pipe.variables) this.#assign(name, value, pipe.declares)
    return value
  }

  #command({ terms: [head, ...rest], text }: Command, dot: Value, piped: readonly Value[]): Value {
    if (head === undefined) return undefined
    if (head.operand.kind === 'function') return this.#call({ ...head, text }, rest, dot, piped)
    if (head.operand.kind === 'literal' && head.operand.value === null) throw this.#failure(head, 'nil is not a command')
    const args = [...rest.map((term) => this.#term(term, dot, [])), ...piped]
    if (args.length > 0 && head.fields.length === 0) throw this.#failure(head, `can't give argument to non-function ${head.text}`)
    return this.#term(head, dot, args)
  }

  #call(head: Term, rest: readonly Term[], dot: Value, piped: readonly Value[]): Value {
    const name = head.operand.kind === 'function' ? head.operand.name : ''
    if (name === 'and' || name === 'or') {
      let value: Value
      for (const [i, term] of rest.entries()) {
        value = this.#term(term, dot, [])
        if (isTrue(value) === (name === 'or') && (i < rest.length - 1 || piped.length > 0)) return value
      }
      return piped.length > 0 ? piped[0] : value
    }
    const args = [...rest.map((term) => this.#term(term, dot, [])), ...piped]
    const callable = this.#callables[name]
    if (callable === undefined) throw this.#failure(head, `function "${name}" not defined`)
    if (args.length < minimumArguments(name)) throw this.#failure(head, `wrong number of args for ${name}: want ${minimumArguments(name)} got ${args.length}`)
    try {
      return callable(...args)
    } catch (error) {
      throw this.#failure(head, `error calling ${name}: ${(error as Error).message}`)
    }
  }

  #term(term: Term, dot: Value, args: readonly Value[]): Value {
    let value = this.#operand(term, dot)
    for (const [i, field] of term.fields.entries()) {
      const before = term.fields[i - 1]
      if (value instanceof Nil && value.absent && before !== undefined) throw this.#failure(term, `map has no entry for key "${before.name}"`, before.at)
      value = this.#field(term, value, field.name, i === term.fields.length - 1 ? args : [], field.at)
    }
    return value
  }

  #operand(term: Term, dot: Value): Value {
    const { operand } = term
    switch (operand.kind) {
      case 'literal': return operand.value
      case 'dot': return dot
      case 'pipe': return this.#pipe(operand.pipe, dot)
      case 'function': return this.#call(term, [], dot, [])
      default: break
    }
    const found = this.#variables.findLast(([name]) => name === operand.name)
    if (found === undefined) throw this.#failure(term, `undefined variable "${operand.name}"`)
    return found[1]
  }

  #field(term: Term, of: Value, name: string, args: readonly Value[], at: number): Value {
    if (of instanceof Row) {
      if (!Object.hasOwn(of.members, name)) throw this.#failure(term, `can't evaluate field ${name} in type ${of.type}`, at)
      const member = of.members[name]
      if (typeof member === 'function') return (member as (...given: readonly Value[]) => Value)(...args)
      if (args.length > 0) throw this.#failure(term, `${name} has arguments but cannot be invoked as function`, at)
      return member
    }
    const map = of instanceof Struct ? of.fields : of
    if (map === null || map === undefined) throw this.#failure(term, `nil data; no entry for key "${name}"`, at)
    if (map instanceof Nil) {
      if (map.text === 'map[]') return undefined
      throw this.#failure(term, `nil pointer evaluating ${name}`, at)
    }
    if (typeof map !== 'object' || Array.isArray(map)) throw this.#failure(term, `can't evaluate field ${name} in type ${Array.isArray(map) ? '[]interface {}' : typeof map}`, at)
    if (Object.hasOwn(map, name)) return (map as Record<string, Value>)[name]
    if (of instanceof Struct) {
      const go = sameField(of.fields, name)
      if (go !== undefined) return of.fields[go]
      throw this.#failure(term, `map has no entry for key "${name}"`, at)
    }
    return undefined
  }

  #assign(name: string, value: Value, declares: boolean): void {
    const found = declares ? undefined : this.#variables.findLast(([known]) => known === name)
    if (found === undefined) this.#variables.push([name, value])
    else found[1] = value
  }

  #failure(term: Term | undefined, why: string, at = term?.at ?? 0): ExecutionError {
    const before = this.#source.slice(0, at)
    const line = before.split('\n').length
    const column = at - (before.lastIndexOf('\n') + 1)
    return new ExecutionError(`template: :${line}:${column}: executing "" at <${term?.text ?? ''}>: ${why}`)
  }
}

/** A field under its Go name, where JSON writes it otherwise: `.ID` for Id, `.NanoCPUs` for NanoCpus. */
function sameField(fields: Readonly<Record<string, Value>>, name: string): string | undefined {
  if (!/^[A-Z]/.test(name)) return undefined
  const lower = name.toLowerCase()
  return Object.keys(fields).find((field) => field.toLowerCase() === lower)
}

function minimumArguments(name: string): number {
  return ({ print: 0, println: 0, html: 0, js: 0, urlquery: 0, pad: 3, eq: 2, ne: 2, lt: 2, le: 2, gt: 2, ge: 2, join: 2, split: 2, truncate: 2 } as Record<string, number>)[name] ?? 1
}
