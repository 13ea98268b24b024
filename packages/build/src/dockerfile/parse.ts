import { EngineError } from '@engine/linux'
import { Directives } from './directives.ts'
import { isSpace, quote, trimLeft, trimRight } from './go-text.ts'
import { heredocsOfLine, type Heredoc } from './heredoc.ts'
import { splitLine, splitWords } from './words.ts'

/** One instruction as it is written, taken apart but not yet understood. */
export interface Node {
  /** The instruction's name as written. */
  readonly keyword: string
  /** `--name=value` words before the arguments. */
  readonly flags: readonly string[]
  /** ENV and LABEL: name, value and `=` (or nothing, in the form with a space) for each pair; ONBUILD: those of the trigger, with its keyword. */
  readonly args: readonly string[]
  /** The arguments were a JSON list. */
  readonly json: boolean
  /** The instruction in one line, continuations joined. */
  readonly original: string
  readonly heredocs: readonly Heredoc[]
  /** The last comment before it. */
  readonly comment?: string | undefined
  /** ONBUILD's trigger. */
  readonly trigger?: Node
  /** Line numbers, from 1. */
  readonly startLine: number
  readonly endLine: number
}

export interface Dockerfile {
  readonly nodes: readonly Node[]
  readonly escape: string
  /** `syntax`, `escape`, `check`. */
  readonly directives: ReadonlyMap<string, string>
  /** Complaints to print, without mark: `Empty continuation line found in: RUN echo`. */
  readonly warnings: readonly string[]
  /** Numbers of the lines in which instructions end that have an empty line within. */
  readonly emptyContinuations: readonly number[]
}

/** bufio.MaxScanTokenSize: what Docker's parser takes as one line, in bytes with its end. */
const maxLine = 65536

/**
 * Reads a Dockerfile as BuildKit's parser does: directives, comments, continuations, here-documents, words.
 * @throws EngineError invalid-argument with BuildKit's text
 */
export function parseDockerfile(text: string): Dockerfile {
  const lines = text.replace(/^\ufeff/, '').match(/[^\n]*\n|[^\n]+$/g) ?? []
  const directives = new Directives()
  const nodes: Node[] = []
  const warnings: string[] = []
  const emptyContinuations: number[] = []
  let comment: string | undefined
  let at = 0
  const nextLine = (): string | undefined => {
    const line = lines[at]
    if (line !== undefined && Buffer.byteLength(line) > maxLine) {
      throw new EngineError('invalid-argument', `dockerfile line greater than max allowed size of ${maxLine - 1}`)
    }
    at++
    return line
  }
  while (at < lines.length) {
    const first = trimLeft(trimLineEnd(nextLine() as string))
    directives.read(first)
    const startLine = at
    if (isComment(first)) comment = first.slice(1).trim()
    let { text: line, ended } = trimContinuation(isComment(first) ? '' : first, directives.escape)
    if (ended && line === '') continue
    let hasEmptyLine = false
    while (!ended && at < lines.length) {
      const more = trimLineEnd(nextLine() as string)
      directives.read(more)
      if (isComment(more)) continue
      if (trimLeft(more) === '') {
        hasEmptyLine = true
        continue
      }
      const part = trimContinuation(more, directives.escape)
      line += part.text
      ended = part.ended
    }
    if (hasEmptyLine) {
      warnings.push(`Empty continuation line found in: ${line}`)
      emptyContinuations.push(at)
    }
    const node = parseLine(line, directives.escape)
    const heredocs = takesHeredocs(node) && line.includes('<<') ? heredocsOfLine(line).map((heredoc) => readHeredoc(heredoc, nextLine)) : []
    nodes.push({ ...node, heredocs, startLine, endLine: at, comment })
    comment = undefined
  }
  if (nodes.length === 0) throw new EngineError('invalid-argument', 'file with no instructions')
  return { nodes, escape: directives.escape, directives: directives.values, warnings, emptyContinuations }
}

function readHeredoc(heredoc: Heredoc, nextLine: () => string | undefined): Heredoc {
  let content = ''
  for (let line = nextLine(); line !== undefined; line = nextLine()) {
    const bare = trimLineEnd(line)
    if ((heredoc.chomp ? bare.replace(/^\t+/, '') : bare) === heredoc.name) return { ...heredoc, content }
    content += line
  }
  throw new EngineError('invalid-argument', 'unterminated heredoc')
}

function takesHeredocs(node: Node): boolean {
  const inner = node.keyword.toLowerCase() === 'onbuild' && node.trigger !== undefined ? node.trigger : node
  return ['add', 'copy', 'run'].includes(inner.keyword.toLowerCase()) && !inner.json
}

/** The escape character at a line's end continues it, unless it is escaped itself. */
function trimContinuation(line: string, escape: string): { text: string; ended: boolean } {
  const bare = trimRight(line, (character) => character === ' ' || character === '\t')
  if (!bare.endsWith(escape) || (bare.length > 1 && bare.at(-2) === escape)) return { text: line, ended: true }
  return { text: bare.slice(0, -1), ended: false }
}

function trimLineEnd(line: string): string {
  return trimRight(line, (character) => character === '\r' || character === '\n')
}

function isComment(line: string): boolean {
  return trimLeft(line).startsWith('#')
}

type Arguments = Pick<Node, 'args'> & Partial<Pick<Node, 'json' | 'trigger'>>

/** Takes one instruction's line apart, by the rules of its keyword. @throws EngineError invalid-argument */
export function parseLine(line: string, escape: string): Node {
  const { keyword, flags, rest } = splitLine(line)
  const read = readers[keyword.toLowerCase()]
  const taken = read === undefined ? { args: [] } : read(rest, escape)
  return { keyword, flags, json: false, original: line, heredocs: [], startLine: 0, endLine: 0, ...taken }
}

const readers: Readonly<Record<string, (rest: string, escape: string) => Arguments>> = {
  add: jsonOrWords,
  arg: (rest, escape) => ({ args: splitWords(rest, escape) }),
  cmd: jsonOrText,
  copy: jsonOrWords,
  entrypoint: jsonOrText,
  env: (rest, escape) => ({ args: pairs(rest, 'ENV', escape) }),
  expose: words,
  from: words,
  healthcheck: healthcheck,
  label: (rest, escape) => ({ args: pairs(rest, 'LABEL', escape) }),
  maintainer: text,
  onbuild: onbuild,
  run: jsonOrText,
  shell: jsonOrText,
  stopsignal: text,
  user: text,
  volume: jsonOrWords,
  workdir: text,
}

function text(rest: string): Arguments {
  return { args: rest === '' ? [] : [rest] }
}

function words(rest: string): Arguments {
  return { args: rest === '' ? [] : rest.split(/[\t\v\f\r ]+/) }
}

function jsonOrText(rest: string): Arguments {
  return jsonList(rest) ?? text(rest)
}

function jsonOrWords(rest: string): Arguments {
  return jsonList(rest) ?? words(rest)
}

/** A JSON list of strings; other JSON lists are an error, and what is no JSON is left to the other forms. */
function jsonList(rest: string): Arguments | undefined {
  if (!trimLeft(rest).startsWith('[')) return undefined
  let list: unknown
  try {
    list = JSON.parse(rest)
  } catch {
    return undefined
  }
  if (!Array.isArray(list)) return undefined
  if (!list.every((item) => typeof item === 'string')) {
    throw new EngineError('invalid-argument', 'when using JSON array syntax, arrays must be comprised of strings only')
  }
  return { args: list, json: true }
}

/** `NAME=value …`, or in the old form `NAME all the rest`. */
function pairs(rest: string, keyword: string, escape: string): string[] {
  const list = splitWords(rest, escape)
  const [first] = list
  if (first === undefined) return []
  if (!first.includes('=')) {
    const parts = /^([^\t\v\f\r ]*)[\t\v\f\r ]+([^]*)$/.exec(rest)
    if (parts === null) throw new EngineError('invalid-argument', `${keyword} must have two arguments`)
    return [parts[1] as string, parts[2] as string, '']
  }
  return list.flatMap((word) => {
    const equals = word.indexOf('=')
    if (equals < 0) {
      throw new EngineError('invalid-argument', `Syntax error - can't find = in ${quote(word)}. Must be of the form: name=value`)
    }
    return [word.slice(0, equals), word.slice(equals + 1), '=']
  })
}

function healthcheck(rest: string): Arguments {
  const characters = [...rest]
  const space = characters.findIndex(isSpace)
  const type = space < 0 ? rest : characters.slice(0, space).join('')
  if (type === '') return { args: [] }
  const command = jsonOrText(trimLeft(rest.slice(type.length)))
  return { args: [type, ...command.args], json: command.json ?? false }
}

function onbuild(rest: string, escape: string): Arguments {
  if (rest === '') return { args: [] }
  const trigger = parseLine(rest, escape)
  return { args: [trigger.keyword, ...trigger.args], trigger }
}
