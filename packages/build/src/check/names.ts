import { expandWord, type LexOptions, type Variables } from '../dockerfile/expand.ts'

/** A word after expansion, and the variables in it. */
export interface Expanded {
  readonly text: string
  readonly found: ReadonlySet<string>
  /** Those that are not set, also where the word has another value for them. */
  readonly missing: ReadonlySet<string>
}

/** Expands a word, noting what was asked for. @throws EngineError as the expansion does */
export function expandNoting(word: string, variables: Variables, options: LexOptions): Expanded {
  const noting = new NotingVariables(variables)
  return { text: expandWord(word, noting, options), found: noting.found, missing: noting.missing }
}

/** Variables that write down which of them were asked for. */
class NotingVariables extends Map<string, string> {
  readonly found = new Set<string>()
  readonly missing = new Set<string>()
  readonly #variables: Variables

  constructor(variables: Variables) {
    super()
    this.#variables = variables
  }

  override get(name: string): string | undefined {
    const value = this.#variables.get(name)
    ;(value === undefined ? this.missing : this.found).add(name)
    return value
  }
}
