import { EngineError } from '@engine/linux'
import { isSpace, quote } from './go-text.ts'
import { removePrefix, removeSuffix, replacePattern } from './shell-pattern.ts'
import { WordSplitter } from './words.ts'

/** Variables by name, for expansion. */
export type Variables = ReadonlyMap<string, string>

/** How a word is treated besides the expansion of its variables. */
export interface LexOptions {
  /** The character that escapes: `\` unless the Dockerfile's escape directive says `` ` ``. */
  readonly escape?: string
  /** Keep quotation marks. */
  readonly rawQuotes?: boolean
  /** Keep escape characters. */
  readonly rawEscapes?: boolean
  /** Quotation marks mean nothing (the content of a here-document). */
  readonly skipQuotes?: boolean
  /** Leave variables that are not set as they are written. */
  readonly skipUnset?: boolean
}

/** Expands variables in a word and takes its quotes off: `"$HOME/x"` is `/root/x`. @throws EngineError invalid-argument */
export function expandWord(word: string, variables: Variables, options: LexOptions = {}): string {
  return process(word, variables, options).text
}

/** As {@link expandWord}, and splits at spaces that were not quoted; unquoted spaces of a variable's value split, too. */
export function expandWords(word: string, variables: Variables, options: LexOptions = {}): string[] {
  return process(word, variables, options).words
}

/** `NAME=value` entries as variables; of two with one name the later counts. */
export function toVariables(environment: readonly string[]): Map<string, string> {
  return new Map(environment.map((entry) => {
    const equals = entry.indexOf('=')
    return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)]
  }))
}

interface Processed {
  readonly text: string
  readonly words: string[]
}

function process(word: string, variables: Variables, options: LexOptions): Processed {
  try {
    return new Lexer(word, variables, options).process(undefined, options.rawEscapes ?? false)
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError('invalid-argument', `failed to process ${quote(word)}: ${error.message}`)
    throw error
  }
}

/** BuildKit's shell lexer: the rules of sh(1) for quotes and `${…}`, without commands, arithmetic and bracket patterns. */
class Lexer {
  readonly #characters: readonly string[]
  readonly #variables: Variables
  readonly #options: LexOptions
  readonly #escape: string
  #at = 0
  #rawEscapes: boolean

  constructor(word: string, variables: Variables, options: LexOptions) {
    this.#characters = [...word]
    this.#variables = variables
    this.#options = options
    this.#escape = options.escape ?? '\\'
    this.#rawEscapes = options.rawEscapes ?? false
  }

  /** Reads up to `stop` (or the end). */
  process(stop: string | undefined, rawEscapes: boolean): Processed {
    const before = this.#rawEscapes
    this.#rawEscapes = rawEscapes
    try {
      return this.#read(stop)
    } finally {
      this.#rawEscapes = before
    }
  }

  #read(stop: string | undefined): Processed {
    let text = ''
    const words = new WordSplitter()
    for (let character = this.#peek(); character !== undefined; character = this.#peek()) {
      if (character === stop) {
        this.#at++
        return { text, words: words.finish() }
      }
      if (character === '$') {
        const value = this.#dollar()
        text += value
        words.addSplitting(value)
      } else if (!this.#options.skipQuotes && (character === "'" || character === '"')) {
        const value = character === "'" ? this.#singleQuoted() : this.#doubleQuoted()
        text += value
        words.add(value)
      } else if (character === '<') {
        const value = this.#possibleHeredoc()
        text += value
        words.add(value)
      } else {
        this.#at++
        if (character !== this.#escape) {
          words.addSplitting(character)
          text += character
          continue
        }
        if (this.#rawEscapes) {
          words.add(character)
          text += character
        }
        const escaped = this.#next()
        if (escaped === undefined) break
        words.add(escaped)
        text += escaped
      }
    }
    if (stop !== undefined) throw failure(`unexpected end of statement while looking for matching ${stop}`)
    return { text, words: words.finish() }
  }

  /** `<<` takes the spaces after it into its word, so that `<< EOF` is one. */
  #possibleHeredoc(): string {
    this.#at++
    if (this.#peek() !== '<') return '<'
    this.#at++
    let text = '<<'
    for (let next = this.#peek(); next !== undefined && isSpace(next); next = this.#peek()) {
      text += next
      this.#at++
    }
    return text
  }

  #singleQuoted(): string {
    let text = this.#options.rawQuotes ? "'" : ''
    this.#at++
    for (let character = this.#next(); character !== undefined; character = this.#next()) {
      if (character !== "'") text += character
      else return this.#options.rawQuotes ? `${text}'` : text
    }
    throw failure('unexpected end of statement while looking for matching single-quote')
  }

  #doubleQuoted(): string {
    let text = this.#options.rawQuotes ? '"' : ''
    this.#at++
    for (let character = this.#peek(); character !== undefined; character = this.#peek()) {
      if (character === '"') {
        this.#at++
        return this.#options.rawQuotes ? `${text}"` : text
      }
      if (character === '$') {
        text += this.#dollar()
        continue
      }
      this.#at++
      if (character !== this.#escape) {
        text += character
        continue
      }
      if (this.#rawEscapes) text += character
      const escaped = this.#peek()
      if (escaped === undefined) continue
      // Only these can be escaped in double quotes; any other escape character stays.
      if (escaped === '"' || escaped === '$' || escaped === this.#escape) {
        text += escaped
        this.#at++
      } else {
        text += character
      }
    }
    throw failure('unexpected end of statement while looking for matching double-quote')
  }

  #dollar(): string {
    this.#at++
    if (this.#peek() !== '{') {
      const name = this.#name()
      if (name === '') return '$'
      return this.#variables.get(name) ?? (this.#options.skipUnset ? `$${name}` : '')
    }
    this.#at++
    const first = this.#peek()
    if (first === undefined) throw failure("syntax error: missing '}'")
    if (first === '{' || first === '}' || first === ':') throw failure('syntax error: bad substitution')
    const name = this.#name()
    const operator = this.#next()
    if (operator === '}') return this.#variables.get(name) ?? (this.#options.skipUnset ? `\${${name}}` : '')
    if (operator === '/') return this.#replacement(name)
    if (operator === ':') return this.#modified(name, this.#next(), true)
    if (operator !== undefined && '+-?#%'.includes(operator)) return this.#modified(name, operator, false)
    throw failure(`unsupported modifier (${operator ?? '\ufffd'}) in substitution`)
  }

  /** `${name-word}` and its like; with a colon an empty value counts as unset. */
  #modified(name: string, operator: string | undefined, nullIsUnset: boolean): string {
    const shown = `${nullIsUnset ? ':' : ''}${operator ?? '\ufffd'}`
    const word = this.#upTo('}', operator === '#' || operator === '%', "syntax error: missing '}'")
    const value = this.#variables.get(name)
    if (value === undefined && this.#options.skipUnset) return `\${${name}${shown}${word}}`
    const missing = value === undefined || (nullIsUnset && value === '')
    if (operator === '-') return missing ? word : value
    if (operator === '+') return missing ? '' : word
    if (operator === '?') {
      if (!missing) return value
      throw failure(`${name}: ${word || (value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty')}`)
    }
    if (operator === '#' || operator === '%') {
      const greedy = word.startsWith(operator)
      const pattern = greedy ? word.slice(1) : word
      return operator === '#' ? removePrefix(pattern, value ?? '', greedy) : removeSuffix(pattern, value ?? '', greedy)
    }
    throw failure(`unsupported modifier (${shown}) in substitution`)
  }

  /** `${name/pattern/replacement}` and, with two slashes, every match. */
  #replacement(name: string): string {
    const all = this.#peek() === '/'
    if (all) this.#at++
    const pattern = this.#upTo('/', true, "syntax error: missing '/' in ${}")
    const replacement = this.#upTo('}', true, "syntax error: missing '}'")
    const value = this.#variables.get(name)
    if (value === undefined && this.#options.skipUnset) return `\${${name}/${pattern}/${replacement}}`
    return replacePattern(pattern, value ?? '', replacement, all)
  }

  #upTo(stop: string, rawEscapes: boolean, missing: string): string {
    try {
      return this.process(stop, rawEscapes).text
    } catch (error) {
      if (error instanceof EngineError && this.#peek() === undefined) throw failure(missing)
      throw error
    }
  }

  /** A variable's name: letters, digits and `_`; or digits only; or one of sh's special parameters. */
  #name(): string {
    const first = this.#peek()
    if (first === undefined) return ''
    if (digit.test(first)) return this.#while(digit)
    if ('@*#?-$!'.includes(first)) return this.#next() as string
    return this.#while(nameCharacter)
  }

  #while(pattern: RegExp): string {
    let text = ''
    for (let character = this.#peek(); character !== undefined && pattern.test(character); character = this.#peek()) {
      text += character
      this.#at++
    }
    return text
  }

  #peek(): string | undefined {
    return this.#characters[this.#at]
  }

  #next(): string | undefined {
    return this.#characters[this.#at++]
  }
}

const digit = /^\p{Nd}$/u
const nameCharacter = /^[\p{L}\p{Nd}_]$/u

function failure(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
