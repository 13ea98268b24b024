import { goQuote } from '../go-quote.ts'
import { htmlSafeJson } from '../json.ts'
import { isTrue, Nil, Row, show, Struct, type Value } from './value.ts'

type Callable = (...args: Value[]) => Value

export type Callables = Readonly<Record<string, Callable>>

/** The functions of text/template, and those that docker adds. `and` and `or` are in evaluate.ts: they stop at the first that decides. */
export const functions: Callables = {
  not: (value) => !isTrue(value),
  eq: (first, ...others) => others.some((other) => compare(first, other) === 0),
  ne: (a, b) => compare(a, b) !== 0,
  lt: (a, b) => order(a, b) < 0,
  le: (a, b) => order(a, b) <= 0,
  gt: (a, b) => order(a, b) > 0,
  ge: (a, b) => order(a, b) >= 0,
  len: length,
  index: (value, ...keys) => keys.reduce<Value>(at, value),
  slice: (value, from = 0, to = undefined) => (typeof value === 'string' || Array.isArray(value) ? value.slice(Number(from), to === undefined ? undefined : Number(to)) : failed(`can't slice item of type ${typeof value}`)),
  print: (...args) => goPrint(args),
  println: (...args) => `${args.map(show).join(' ')}\n`,
  printf: (format, ...args) => goPrintf(String(format), args),
  html: (...args) => goPrint(args).replace(/[&<>"']/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', '\'': '&#39;' })[char] ?? char),
  urlquery: (...args) => encodeURIComponent(goPrint(args)).replaceAll('%20', '+'),
  js: (...args) => JSON.stringify(goPrint(args)).slice(1, -1),
  json: (value) => (value instanceof Row ? htmlSafeJson(value) : JSON.stringify(value ?? null)),
  join: (list, separator) => (Array.isArray(list) ? list.map(show).join(String(separator)) : list instanceof Nil ? '' : failed('wrong type for value; expected []string')),
  split: (text, separator) => String(text).split(String(separator)),
  lower: (text) => String(text).toLowerCase(),
  upper: (text) => String(text).toUpperCase(),
  title: (text) => String(text).replace(/(^|[\s_-]|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before: string, letter: string) => before + letter.toUpperCase()),
  pad: (text, before, after) => (String(text) === '' ? '' : ' '.repeat(Number(before)) + String(text) + ' '.repeat(Number(after))),
  truncate: (text, length_) => [...String(text)].slice(0, Number(length_)).join(''),
}

const same: Callable = (value) => value

/** The functions as they work on a table's header: a column keeps its name whatever is done to its values. */
export const headerFunctions: Callables = { ...functions, json: same, split: same, join: same, title: same, lower: same, upper: same, truncate: same, pad: same }

/** Names that a template may call. */
export const functionNames: ReadonlySet<string> = new Set([...Object.keys(functions), 'and', 'or'])

function failed(why: string): never {
  throw new Error(why)
}

function length(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.length
  if (value instanceof Nil && value.text !== '<nil>') return 0
  if (typeof value === 'object' && value !== null && !(value instanceof Struct) && !(value instanceof Row) && !(value instanceof Nil)) return Object.keys(value).length
  return failed(value === null || value === undefined || value instanceof Nil ? 'len of nil pointer' : `len of type ${typeof value}`)
}

function at(value: Value, key: Value): Value {
  if (Array.isArray(value) || typeof value === 'string') {
    const index = Number(key)
    if (!Number.isInteger(index)) return failed(`cannot index slice/array with type ${typeof key}`)
    if (index < 0 || index >= value.length) return failed(`index out of range: ${index}`)
    return typeof value === 'string' ? value.charCodeAt(index) : value[index]
  }
  if (value instanceof Nil) return value.text === 'map[]' ? '' : failed('index of untyped nil')
  if (value === null || value === undefined) return failed('index of untyped nil')
  if (value instanceof Struct || value instanceof Row || typeof value !== 'object') return failed('can\'t index item of type struct')
  const map = value as Record<string, Value>
  if (typeof key !== 'string') return failed('value has type int; should be string')
  // A missing key gives the zero value of the map's elements; what docker's maps hold by name is text more than anything else.
  return Object.hasOwn(map, key) ? map[key] : Object.values(map).every((item) => typeof item === 'string') ? '' : new Nil('<nil>')
}

function compare(a: Value, b: Value): number {
  if (isNil(a) || isNil(b)) return isNil(a) && isNil(b) ? 0 : 1
  if (typeof a !== typeof b) return failed('incompatible types for comparison')
  if (typeof a === 'object') return failed('non-comparable type')
  return a === b ? 0 : 1
}

function order(a: Value, b: Value): number {
  if (typeof a !== typeof b) return failed('incompatible types for comparison')
  if (typeof a !== 'string' && typeof a !== 'number') return failed('invalid type for comparison')
  return a === b ? 0 : a < (b as typeof a) ? -1 : 1
}

function isNil(value: Value): boolean {
  return value === null || value === undefined || value instanceof Nil
}

/** fmt.Sprint: a space between operands when neither is a string. */
function goPrint(args: readonly Value[]): string {
  return args.map((arg, i) => (i > 0 && typeof arg !== 'string' && typeof args[i - 1] !== 'string' ? ' ' : '') + show(arg)).join('')
}

function goPrintf(format: string, args: readonly Value[]): string {
  let used = 0
  const out = format.replace(/%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g, (_, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%'
    if (used >= args.length) return `%!${verb}(MISSING)`
    const text = formatVerb(verb, args[used++], flags, precision)
    const wide = Number(width ?? 0)
    if (flags.includes('-')) return text.padEnd(wide)
    return flags.includes('0') && verb !== 's' ? text.padStart(wide, '0') : text.padStart(wide)
  })
  const extra = args.slice(used)
  return extra.length === 0 ? out : `${out}%!(EXTRA ${extra.map((arg) => `${typeof arg === 'number' ? 'int' : typeof arg}=${show(arg)}`).join(', ')})`
}

function formatVerb(verb: string, value: Value, flags: string, precision: string | undefined): string {
  const wrong = (): string => `%!${verb}(${typeof value}=${show(value)})`
  switch (verb) {
    case 'v': return show(value)
    case 's': return typeof value === 'number' || typeof value === 'boolean' ? wrong() : precision === undefined ? show(value) : show(value).slice(0, Number(precision))
    case 'q': return goQuote(show(value))
    case 't': return typeof value === 'boolean' ? String(value) : wrong()
    case 'd': return typeof value === 'number' || typeof value === 'bigint' ? (flags.includes('+') && Number(value) >= 0 ? '+' : '') + String(value) : wrong()
    case 'x': return typeof value === 'number' ? value.toString(16) : Buffer.from(show(value)).toString('hex')
    case 'X': return typeof value === 'number' ? value.toString(16).toUpperCase() : Buffer.from(show(value)).toString('hex').toUpperCase()
    case 'o': return typeof value === 'number' ? value.toString(8) : wrong()
    case 'b': return typeof value === 'number' ? value.toString(2) : wrong()
    case 'c': return typeof value === 'number' ? String.fromCodePoint(value) : wrong()
    case 'f': case 'F': return typeof value === 'number' ? value.toFixed(Number(precision ?? 6)) : wrong()
    case 'e': return typeof value === 'number' ? value.toExponential(Number(precision ?? 6)) : wrong()
    case 'g': return typeof value === 'number' ? String(value) : wrong()
    case 'T': return typeof value === 'number' ? 'int' : typeof value === 'boolean' ? 'bool' : typeof value
    default: return wrong()
  }
}
