import { isSpace } from './go-text.ts'

/** Collects the words of an expanded text: some text splits at spaces, quoted text does not. */
export class WordSplitter {
  readonly #words: string[] = []
  #word = ''

  /** Adds text in which spaces end a word. */
  addSplitting(text: string): void {
    for (const character of text) {
      if (!isSpace(character)) this.#word += character
      else this.#end()
    }
  }

  /** Adds text as it is. */
  add(text: string): void {
    this.#word += text
  }

  finish(): string[] {
    this.#end()
    return this.#words
  }

  #end(): void {
    if (this.#word !== '') this.#words.push(this.#word)
    this.#word = ''
  }
}

/**
 * The words of an ENV, LABEL or ARG line: separated by spaces, with quotes and escapes kept as they are, since expansion takes
 * them off later.
 */
export function splitWords(rest: string, escape: string): string[] {
  const characters = [...rest]
  const words: string[] = []
  let word = ''
  let quoted: string | undefined
  let mayBeEmpty = false
  const end = (): void => {
    if (mayBeEmpty || word !== '') words.push(word)
    word = ''
    mayBeEmpty = false
  }
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string
    if (quoted === undefined && isSpace(character)) {
      end()
      continue
    }
    // In single quotes nothing can be escaped.
    if (character === escape && quoted !== "'") {
      const escaped = characters[++at]
      // One at the end of the line is dropped.
      if (escaped !== undefined) word += character + escaped
      continue
    }
    if (quoted === undefined && (character === "'" || character === '"')) {
      quoted = character
      mayBeEmpty = true
    } else if (character === quoted) {
      quoted = undefined
    }
    word += character
  }
  end()
  return words
}

/** A line's first word, the `--flags` that follow it, and the rest. */
export interface SplitLine {
  readonly keyword: string
  readonly flags: string[]
  readonly rest: string
}

/** Takes an instruction's line apart. */
export function splitLine(line: string): SplitLine {
  const [keyword = '', ...others] = line.trim().split(/[\t\v\f\r ]+/)
  if (others.length === 0) return { keyword, flags: [], rest: '' }
  const after = line.trim().slice(keyword.length).replace(/^[\t\v\f\r ]+/, '')
  const { flags, rest } = takeFlags(after)
  return { keyword, flags, rest: rest.trim() }
}

/** Takes the flags off the beginning of a line: words that begin with `--`, until one that does not or `--` itself. */
function takeFlags(line: string): { flags: string[]; rest: string } {
  const characters = [...line]
  const flags: string[] = []
  let at = 0
  while (at < characters.length) {
    if (isSpace(characters[at] as string)) {
      at++
      continue
    }
    if (characters[at] !== '-' || characters[at + 1] !== '-') break
    const { word, quoted, next } = flagWord(characters, at)
    at = next
    if (word === '--') break
    if (quoted || word !== '') flags.push(word)
  }
  return { flags, rest: characters.slice(at).join('') }
}

function flagWord(characters: readonly string[], start: number): { word: string; quoted: boolean; next: number } {
  let word = ''
  let quote: string | undefined
  let quoted = false
  let at = start
  for (; at < characters.length; at++) {
    const character = characters[at] as string
    if (quote === undefined && isSpace(character)) break
    if (quote === undefined && (character === "'" || character === '"')) {
      quote = character
      quoted = true
    } else if (character === quote) {
      quote = undefined
    } else if (character === '\\') {
      word += characters[++at] ?? ''
    } else {
      word += character
    }
  }
  return { word, quoted, next: at }
}
