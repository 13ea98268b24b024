import { expandWords } from './expand.ts'
import { trimLeft } from './go-text.ts'

/** A here-document of RUN, COPY or ADD. */
export interface Heredoc {
  /** The word that ends it; for COPY and ADD the file's name, too. */
  readonly name: string
  /** Whether variables in its content are expanded: the word was not quoted. */
  readonly expand: boolean
  /** Written `<<-`: tabs at the beginning of lines are taken off. */
  readonly chomp: boolean
  /** The number before `<<`, as in `RUN cat 3<<EOF`. */
  readonly fileDescriptor: number
  readonly content: string
}

const form = /^(\d*)<<(-?)([^<]*)$/

/** The here-document that a word announces, without content; undefined when it is no such word. @throws EngineError invalid-argument */
export function parseHeredoc(word: string): Heredoc | undefined {
  const match = form.exec(word)
  const rest = trimLeft(match?.[3] ?? '')
  if (match === null || rest === '') return undefined
  const [name, ...others] = expandWords(rest, none, { skipUnset: true })
  if (name === undefined || others.length > 0) return undefined
  // Quotes that are there in the raw word only were taken off: some part of it is quoted.
  const [raw = ''] = expandWords(rest, none, { skipUnset: true, rawQuotes: true })
  return { name, expand: quotes(name) === quotes(raw), chomp: match[2] === '-', fileDescriptor: Number(match[1] ?? 0), content: '' }
}

/** As {@link parseHeredoc}, for a word that was seen by the parser before. */
export function isHeredoc(word: string): boolean {
  try {
    return parseHeredoc(word) !== undefined
  } catch {
    return false
  }
}

/** The here-documents that a line announces, in order. @throws EngineError invalid-argument */
export function heredocsOfLine(line: string): Heredoc[] {
  let words: string[]
  try {
    words = expandWords(line, none, { skipUnset: true, rawQuotes: true, rawEscapes: true })
  } catch {
    // A shell command may hold what this lexer cannot read (an odd quote); then it has no here-document for us.
    return []
  }
  return words.flatMap((word) => parseHeredoc(word) ?? [])
}

/** A here-document's content with the tabs at the beginning of its lines taken off, when it was written `<<-`. */
export function heredocContent(heredoc: Heredoc): string {
  return heredoc.chomp ? heredoc.content.replace(/^\t+/gm, '') : heredoc.content
}

const none: ReadonlyMap<string, string> = new Map()

function quotes(text: string): number {
  return text.split(/['"]/).length - 1
}
