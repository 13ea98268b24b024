import { EngineError } from '@engine/linux'
import { trimLeft, trimSpace } from './go-text.ts'

const known: ReadonlySet<string> = new Set(['syntax', 'escape', 'check'])
const form = /^([a-zA-Z][a-zA-Z0-9]*)[ \t]*=(.*)$/

/** Reads parser directives (`# escape=\``): comments before everything else, each kind once. */
export class Directives {
  readonly values = new Map<string, string>()
  #done = false

  /**
   * Looks at a line; the first that is no directive ends them.
   * @throws EngineError invalid-argument for one that comes twice or has no valid value
   */
  read(line: string): void {
    if (this.#done) return
    const match = line.startsWith('#') ? form.exec(trimLeft(line.slice(1))) : null
    const name = match?.[1]?.toLowerCase() ?? ''
    const value = trimSpace(match?.[2] ?? '')
    if (value === '' || !known.has(name)) {
      this.#done = true
      return
    }
    if (this.values.has(name)) throw new EngineError('invalid-argument', `only one ${name} parser directive can be used`)
    if (name === 'escape' && value !== '\\' && value !== '`') {
      throw new EngineError('invalid-argument', `invalid escape token '${value}' does not match \` or \\`)
    }
    this.values.set(name, value)
  }

  /** The escape character, `\` or `` ` ``. */
  get escape(): string {
    return this.values.get('escape') ?? '\\'
  }
}
