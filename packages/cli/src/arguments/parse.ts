import type { Flags, FlagValues } from './flag.ts'

/** What the command line said after the command's name. */
export interface Parsed<F extends Flags> {
  readonly flags: FlagValues<F>
  readonly args: readonly string[]
  /** Whether the flag was on the command line. */
  given(name: keyof F & string): boolean
}

/** The command line does not have the form that the command takes. The message is pflag's. */
export class FlagError extends Error {
  override readonly name = 'FlagError'
}

/** `--help` (or `-h` where no flag of the command claims it) was among the flags. */
export class HelpWanted extends Error {
  override readonly name = 'HelpWanted'
}

/**
 * Reads flags as pflag does (github.com/spf13/pflag): `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, several
 * switches in one (`-it`), and `--` as the end of flags. yargs-parser is not used for this because it reads `-p80:80` and
 * `-tname` as runs of switches and guesses numbers.
 *
 * @param interspersed flags may follow arguments; `false` for commands that take a command line of their own (`run`, `exec`)
 * @throws FlagError with pflag's text; HelpWanted
 */
export function parseFlags<F extends Flags>(words: readonly string[], flags: F, interspersed = true): Parsed<F> {
  const values = new Map<string, unknown>(Object.entries(flags).map(([name, flag]) => [name, flag.initial]))
  const given = new Set<string>()
  const args: string[] = []
  const queue = [...words]

  const set = (name: string, text: string): void => {
    const flag = flags[name]
    if (flag === undefined) return
    try {
      values.set(name, flag.read(text, values.get(name)))
    } catch (error) {
      const shown = flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`
      throw new FlagError(`invalid argument ${JSON.stringify(text)} for "${shown}" flag: ${(error as Error).message}`)
    }
    given.add(name)
  }

  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      args.push(...queue)
      break
    }
    if (word.startsWith('--')) readLong(word, flags, queue, set)
    else if (word.startsWith('-') && word.length > 1) readShort(word, flags, queue, set)
    else {
      args.push(word)
      if (!interspersed) {
        args.push(...queue)
        break
      }
    }
  }
  return { flags: Object.fromEntries(values) as FlagValues<F>, args, given: (name) => given.has(name) }
}

type Setter = (name: string, text: string) => void

function readLong(word: string, flags: Flags, queue: string[], set: Setter): void {
  const body = word.slice(2)
  if (body.startsWith('-') || body.startsWith('=')) throw new FlagError(`bad flag syntax: ${word}`)
  const at = body.indexOf('=')
  const name = at === -1 ? body : body.slice(0, at)
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
  if (flag === undefined) {
    if (name === 'help') throw new HelpWanted()
    throw new FlagError(`unknown flag: --${name}`)
  }
  if (at !== -1) set(name, body.slice(at + 1))
  else if (flag.bare !== undefined) set(name, flag.bare)
  else {
    const next = queue.shift()
    if (next === undefined) throw new FlagError(`flag needs an argument: ${word}`)
    set(name, next)
  }
}

function readShort(word: string, flags: Flags, queue: string[], set: Setter): void {
  let letters = word.slice(1)
  while (letters !== '') {
    const letter = letters.charAt(0)
    const entry = Object.entries(flags).find(([, flag]) => flag.short === letter)
    if (entry === undefined) {
      if (letter === 'h') throw new HelpWanted()
      throw new FlagError(`unknown shorthand flag: '${letter}' in -${letters}`)
    }
    const [name, flag] = entry
    const rest = letters.slice(1)
    letters = ''
    if (rest.startsWith('=') && rest.length > 1) set(name, rest.slice(1))
    else if (flag.bare !== undefined) {
      set(name, flag.bare)
      letters = rest
    } else if (rest !== '') set(name, rest)
    else {
      const next = queue.shift()
      if (next === undefined) throw new FlagError(`flag needs an argument: '${letter}' in ${word}`)
      set(name, next)
    }
  }
}
