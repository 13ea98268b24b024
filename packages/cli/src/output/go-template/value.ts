/**
 * Values as a template sees them. JSON values stand for themselves; what JSON cannot tell apart (a Go struct from a map, a nil slice from
 * a nil pointer) is marked by the classes here.
 */
export type Value = unknown

/** Rows of a listing: an object whose properties are values, or functions for methods (`.Label "x"`). */
export class Row {
  /** Go's name of the type, for messages. */
  readonly type: string
  readonly members: Readonly<Record<string, Value>>

  constructor(type: string, members: Readonly<Record<string, Value>>) {
    this.type = type
    this.members = members
  }

  toJSON(): Record<string, Value> {
    const plain = Object.entries(this.members).filter(([, member]) => typeof member !== 'function' || member.length === 0)
    return Object.fromEntries(plain.map(([name, member]): [string, Value] => [name, typeof member === 'function' ? (member as () => Value)() : member]).sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

/** A Go struct decoded from JSON. Fields that its type has but the text leaves out are nil. */
export class Struct {
  readonly fields: Readonly<Record<string, Value>>
  readonly #present: Readonly<Record<string, Value>>

  /** @param absent fields of the type that the text leaves out, with their zero values */
  constructor(present: Readonly<Record<string, Value>>, absent: Readonly<Record<string, Value>> = {}) {
    this.#present = present
    this.fields = { ...present, ...absent }
  }

  toJSON(): Readonly<Record<string, Value>> {
    return this.#present
  }
}

/** A nil that prints as its type does: `[]`, `map[]` or `<nil>`. */
export class Nil {
  readonly text: '[]' | 'map[]' | '<nil>'
  /** The field is not in the JSON text at all. */
  readonly absent: boolean

  constructor(text: '[]' | 'map[]' | '<nil>', absent = false) {
    this.text = text
    this.absent = absent
  }

  toJSON(): null {
    return null
  }
}

/** What `{{…}}` writes for a value (fmt.Print). */
export function show(value: Value): string {
  if (value === null || value === undefined) return '<no value>'
  return nested(value)
}

function nested(value: Value): string {
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'string') return value
  if (value instanceof Nil) return value.text
  if (Array.isArray(value)) return `[${value.map(nested).join(' ')}]`
  if (value instanceof Struct) return `{${Object.values(value.fields).map(nested).join(' ')}}`
  if (value instanceof Row) return JSON.stringify(value)
  if (typeof value === 'object') return `map[${sorted(value).map(([key, item]) => `${key}:${nested(item)}`).join(' ')}]`
  return String(value)
}

/** Entries in the order in which Go ranges over a map. */
export function sorted(map: object): [string, Value][] {
  return Object.entries(map as Record<string, Value>).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** Go's truth: false, 0, "", nil, and what is empty are false. */
export function isTrue(value: Value): boolean {
  if (value === null || value === undefined || value instanceof Nil) return false
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof Struct || value instanceof Row) return true
  if (typeof value === 'object') return Object.keys(value).length > 0
  return Boolean(value)
}
