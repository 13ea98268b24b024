import { EngineError } from '@engine/linux'
import { didYouMean } from './suggest.ts'

/** What an instruction's flags may be: `text` once with a value, `list` any number of times, `boolean` with or without one. */
export type FlagKinds = Readonly<Record<string, 'text' | 'list' | 'boolean'>>

/** The flags that were given, in their order, by name. Booleans are `true` or `false`. */
export type Flags = ReadonlyMap<string, readonly string[]>

/** Checks the `--name=value` words of an instruction. @throws EngineError invalid-argument with BuildKit's text */
export function parseFlags(words: readonly string[], kinds: FlagKinds): Flags {
  const flags = new Map<string, string[]>()
  for (const word of words) {
    const equals = word.indexOf('=')
    const name = word.slice(2, equals < 0 ? undefined : equals)
    const value = equals < 0 ? undefined : word.slice(equals + 1)
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (kind === undefined) throw failure(`unknown flag: --${name}${didYouMean(name, Object.keys(kinds), true)}`)
    const given = flags.get(name)
    if (given !== undefined && kind !== 'list') throw failure(`duplicate flag specified: --${name}`)
    if (kind !== 'boolean') {
      if (value === undefined) throw failure(`missing a value on flag: --${name}`)
      flags.set(name, [...(given ?? []), value])
      continue
    }
    if (value === '') throw failure(`missing a value on flag: --${name}`)
    const truth = (value ?? 'true').toLowerCase()
    if (truth !== 'true' && truth !== 'false') throw failure(`expecting boolean value for flag --${name}, not: ${value}`)
    flags.set(name, [truth])
  }
  return flags
}

function failure(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
