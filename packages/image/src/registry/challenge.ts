/** One challenge of a WWW-Authenticate header (RFC 9110 11.6.1). */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const quoted = /"((?:[^"\\]|\\.)*)"/y
const separators = /[\s,]*/y
const equals = /\s*=\s*/y
/** Of schemes that have one opaque value instead of parameters. */
const token68 = /[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y

/**
 * Reads WWW-Authenticate headers: several challenges in one header or in several, parameters quoted or not. What cannot be read ends
 * the header's list; the challenges before it count.
 */
export function parseChallenges(headers: string | readonly string[] | undefined): Challenge[] {
  return (typeof headers === 'string' ? [headers] : (headers ?? [])).flatMap(parseHeader)
}

function parseHeader(header: string): Challenge[] {
  const challenges: { readonly scheme: string; readonly parameters: Map<string, string> }[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(header)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  while (at < header.length) {
    take(separators)
    const name = take(token)?.[0]
    if (name === undefined) break
    const current = challenges.at(-1)
    if (current !== undefined && take(equals) !== null) {
      const value = take(quoted)?.[1]?.replaceAll(/\\(.)/g, '$1') ?? take(token)?.[0]
      if (value === undefined) break
      current.parameters.set(name.toLowerCase(), value)
      continue
    }
    challenges.push({ scheme: name.toLowerCase(), parameters: new Map() })
    const before = at
    if (take(/ +/y) !== null && take(token68) === null) at = before
  }
  return challenges
}
