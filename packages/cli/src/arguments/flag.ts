/**
 * A command-line flag: how it is spelled, how its text is read, and how help shows it. The rules of spelling are those of
 * pflag, which the docker command uses (`-it`, `-p80:80`, `-tname`, `--rm=false`), see parse.ts.
 */
export interface Flag<T> {
  /** One letter, for `-x`. */
  readonly short?: string
  /** The word that help shows for the value ("bytes"); empty for a switch. */
  readonly word: string
  readonly text: string
  /** Heading under which `--help` lists it. */
  readonly group?: string
  /** Accepted, but not listed. */
  readonly hidden?: boolean
  readonly initial: T
  /** The text that stands in when the flag is given bare; only switches have one. */
  readonly bare?: string
  /** Reads one occurrence. Throws an Error whose message is the reason, in docker's words. */
  read(text: string, before: T): T
}

export type Flags = Readonly<Record<string, Flag<unknown>>>

/** What parsing yields for a table of flags: one typed value per flag. */
export type FlagValues<F extends Flags> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never }

interface Look {
  readonly short?: string
  readonly word?: string
  readonly group?: string
  readonly hidden?: boolean
}

/** On or off: `--rm`, `--rm=false`. */
export function onOff(text: string, look: Look & { readonly initial?: boolean } = {}): Flag<boolean> {
  return { ...look, word: '', text, initial: look.initial ?? false, bare: 'true', read: readBoolean }
}

/** One text; the last one given counts. `undefined` when the flag was not given. */
export function text(description: string, look: Look = {}): Flag<string | undefined> {
  return value((given) => given, description, { word: 'string', ...look })
}

/** One value that `read` makes of the text. `undefined` when the flag was not given. */
export function value<T>(read: (text: string) => T, description: string, look: Look = {}): Flag<T | undefined> {
  return { word: 'string', ...look, text: description, initial: undefined, read: (given) => read(given) }
}

/** May be given many times; yields all values in order. */
export function list<T = string>(description: string, look: Look & { readonly read?: (text: string) => T } = {}): Flag<readonly T[]> {
  const { read, ...rest } = look
  return {
    word: 'list',
    ...rest,
    text: description,
    initial: [],
    read: (given, before) => [...before, read === undefined ? (given as T) : read(given)],
  }
}

/** Go's strconv.ParseBool. @throws Error with Go's text */
export function readBoolean(given: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(given)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(given)) return false
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(given)}: invalid syntax`)
}
