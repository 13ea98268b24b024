/** One line of a .dockerignore. */
interface Rule {
  readonly exception: boolean
  readonly pattern: RegExp
  readonly text: string
}

/**
 * Reads a .dockerignore: a pattern per line, `#` at the line's beginning starts a comment, `!` makes an exception.
 * @returns patterns as Ignore takes them
 */
export function readIgnoreFile(content: string): string[] {
  const patterns: string[] = []
  for (const [i, raw] of content.split('\n').entries()) {
    const line = i === 0 ? raw.replace(/^\uFEFF/, '') : raw
    if (line.startsWith('#')) continue
    const trimmed = line.trim()
    if (trimmed === '') continue
    const exception = trimmed.startsWith('!')
    const path = clean((exception ? trimmed.slice(1) : trimmed).trim())
    if (path === '') continue
    patterns.push(`${exception ? '!' : ''}${path.length > 1 && path.startsWith('/') ? path.slice(1) : path}`)
  }
  return patterns
}

/** Decides which files of a build context are left out, by the rules of moby's patternmatcher: the last pattern that matches a path, or one of its parents, decides. */
export class Ignore {
  readonly #rules: readonly Rule[]

  /** @throws Error for a pattern that is none (`syntax error in pattern`) */
  constructor(patterns: readonly string[]) {
    this.#rules = patterns.map((given) => {
      const exception = given.startsWith('!')
      const text = exception ? given.slice(1) : given
      return { exception, text, pattern: toRegExp(text) }
    })
  }

  /** Whether a path (relative, `/` between names) is left out. */
  excludes(path: string): boolean {
    return this.rule(path) !== undefined
  }

  /** The pattern that leaves a path out; undefined when none does. */
  rule(path: string): string | undefined {
    if (this.#rules.length === 0) return undefined
    const names = path.split('/')
    const prefixes = names.map((_, i) => names.slice(0, i + 1).join('/'))
    let rule: string | undefined
    for (const { exception, pattern, text } of this.#rules) {
      // A rule that would change nothing is not tried.
      if (exception !== (rule !== undefined)) continue
      if (prefixes.some((prefix) => pattern.test(prefix))) rule = exception ? undefined : text
    }
    return rule
  }

  /** Whether below an excluded directory something may be taken in again. */
  mayReturn(directory: string): boolean {
    return this.#rules.some(({ exception, text }) => {
      if (!exception) return false
      const fixed = text.split('/').slice(0, text.split('/').findIndex((name) => /[*?[\\]/.test(name)))
      const literal = /[*?[\\]/.test(text) ? fixed.join('/') : text
      return literal === '' || `${literal}/`.startsWith(`${directory}/`) || `${directory}/`.startsWith(`${literal}/`)
    })
  }
}

/** Go's path.Clean for a pattern. */
function clean(path: string): string {
  const rooted = path.startsWith('/')
  const out: string[] = []
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue
    if (name === '..' && out.length > 0 && out.at(-1) !== '..') out.pop()
    else if (name !== '..' || !rooted) out.push(name)
  }
  return `${rooted ? '/' : ''}${out.join('/')}` || '.'
}

/** `*` and `?` stay within a name, `**` goes over any number of directories, `[a-z]` is a class, `\` takes the next character as it is. */
function toRegExp(pattern: string): RegExp {
  let source = '^'
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at)
    if (char === '*' && pattern[at + 1] === '*') {
      at++
      if (pattern[at + 1] === '/') at++
      source += at + 1 >= pattern.length ? '.*' : '(.*/)?'
    } else if (char === '*') source += '[^/]*'
    else if (char === '?') source += '[^/]'
    else if (char === '[') {
      const end = classEnd(pattern, at)
      source += characterClass(pattern.slice(at + 1, end))
      at = end
    } else if (char === '\\') {
      at++
      if (at >= pattern.length) throw syntaxError()
      source += escape(pattern.charAt(at))
    } else source += escape(char)
  }
  return new RegExp(`${source}$`, 's')
}

function classEnd(pattern: string, start: number): number {
  for (let at = start + 1; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === ']' && at > start + 1) return at
  }
  throw syntaxError()
}

function characterClass(body: string): string {
  const negated = body.startsWith('^')
  return `[${negated ? '^' : ''}${(negated ? body.slice(1) : body).replace(/\\(.)|[[\]]/g, (whole, char: string | undefined) => (char === undefined ? `\\${whole}` : escape(char)))}]`
}

function escape(char: string): string {
  return /[\\^$.*+?()[\]{}|/-]/.test(char) ? `\\${char}` : char
}

function syntaxError(): Error {
  return new Error('syntax error in pattern')
}
