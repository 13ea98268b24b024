import * as z from 'zod'
import { syntaxComplaint } from '../json-body.ts'

/**
 * Query parameters as Docker reads them. A parameter is a string (of one given several times the first counts, unless the schema is
 * a list). Failures carry Docker's own texts.
 */

const falsehoods = new Set(['', '0', 'no', 'false', 'none'])

/** moby's BoolValue: everything is true but these. */
export function boolValue(value: string): boolean {
  return !falsehoods.has(value.trim().toLowerCase())
}

/** A boolean parameter; absent is `absent`. */
export function bool(absent = false): z.ZodType<boolean, string | undefined> {
  return z.string().optional().transform((value) => (value === undefined ? absent : boolValue(value))).meta({ type: 'boolean', default: absent })
}

/** A whole number, absent or empty is undefined. */
export function int(): z.ZodType<number | undefined, string | undefined> {
  return z.string().optional().transform((value, context) => {
    if (value === undefined || value === '') return undefined
    if (/^[+-]?\d+$/.test(value)) return Number(value)
    context.addIssue({ code: 'custom', message: `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax` })
    return z.NEVER
  }).meta({ type: 'integer' })
}

/** Text; absent is ''. */
export const word = z.string().default('')

/** Text; absent or empty is undefined. */
export const optionalWord = z.string().optional().transform((value) => (value === '' ? undefined : value))

/** A platform, `os[/arch[/variant]]`; absent or empty is undefined. Whether there is such a platform is the engine's business. */
export const platform = optionalWord.transform((value, context) => {
  const parts = value?.split('/') ?? []
  const wrong = parts.find((part) => !/^[A-Za-z0-9_.-]+$/.test(part))
  if (parts.length <= 3 && wrong === undefined) return value
  const quoted = JSON.stringify(value)
  const why = parts.length > 3 ? `${quoted}: cannot parse platform specifier` : `${JSON.stringify(wrong)} is an invalid component of ${quoted}`
  context.addIssue({ code: 'custom', message: `${why}: invalid argument` })
  return z.NEVER
})

/** A parameter that may be repeated. */
export const words = z.array(z.string()).default([])

/**
 * A point in time as nanoseconds since the epoch: seconds with an optional fraction (`1136073600.000000001`), or RFC 3339.
 * Absent or empty is undefined.
 */
export function time(): z.ZodType<bigint | undefined, string | undefined> {
  return z.string().optional().transform((value, context) => {
    if (value === undefined || value === '') return undefined
    const parsed = parseTime(value)
    if (parsed !== undefined) return parsed
    const [, fraction] = /^-?\d+\.(.*)$/.exec(value) ?? []
    context.addIssue({ code: 'custom', message: `strconv.ParseInt: parsing ${JSON.stringify(fraction ?? value)}: invalid syntax` })
    return z.NEVER
  })
}

/** Reads `seconds[.nanoseconds]` (moby's ParseTimestamps: up to nine digits count) or RFC 3339; undefined when it is neither. */
export function parseTime(value: string): bigint | undefined {
  const unix = /^(-?\d{1,18})(?:\.(\d+))?$/.exec(value)
  if (unix !== null) return BigInt(unix[1] ?? '0') * 1_000_000_000n + BigInt((unix[2] ?? '').slice(0, 9).padEnd(9, '0'))
  const dated = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})$/.exec(value)
  if (dated === null) return undefined
  const seconds = Date.parse(`${dated[1]}${dated[3]}`)
  if (Number.isNaN(seconds)) return undefined
  return BigInt(seconds) * 1_000_000n + BigInt((dated[2] ?? '').slice(0, 9).padEnd(9, '0'))
}

/** JSON in a parameter (`buildargs`, `labels`); `what` goes into the error's text. Absent or empty is undefined. */
export function json<T>(schema: z.ZodType<T>, what: string, verb = 'error reading'): z.ZodType<T | undefined, string | undefined> {
  return z.string().optional().transform((value, context) => {
    if (value === undefined || value === '') return undefined
    let complaint: string
    try {
      const parsed = schema.safeParse(JSON.parse(value))
      if (parsed.success) return parsed.data
      complaint = 'json: cannot unmarshal it'
    } catch (error) {
      complaint = syntaxComplaint(value, error)
    }
    context.addIssue({ code: 'custom', message: `${verb} ${what}: ${complaint}` })
    return z.NEVER
  })
}
