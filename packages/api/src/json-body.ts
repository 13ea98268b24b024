import * as z from 'zod'
import { RequestError } from './errors.ts'
import { goTypes } from './schemas/go-json.ts'

/**
 * Reads a request's body as Go's encoding/json would: names in any case, null as the zero value, unknown names ignored.
 * @throws RequestError 400 with moby's text when it is not JSON or does not fit
 */
export function readJson<S extends z.ZodType>(schema: S, body: string): z.infer<S> {
  const parsed = schema.safeParse(fit(schema, parseJson(body) ?? zero(schema)), { reportInput: true })
  if (parsed.success) return parsed.data
  throw new RequestError(`invalid JSON: ${explain(schema, parsed.error)}`)
}

/** JSON.parse with the complaints of Go's decoder. */
function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (error) {
    if (body.trim() === '') throw new RequestError('invalid JSON: got EOF while reading request body')
    const complaint = syntaxComplaint(body, error)
    throw new RequestError(complaint === 'unexpected content after JSON' ? complaint : `invalid JSON: ${complaint}`)
  }
}

/** What Go's decoder would say of text that JSON.parse refused with `error`. */
export function syntaxComplaint(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (message.includes('after JSON at')) return 'unexpected content after JSON'
  const token = /Unexpected token '(.)'/u.exec(message)?.[1]
  if (token !== undefined) return `invalid character '${token}' looking for beginning of value`
  const position = /at position (\d+)/.exec(message)?.[1]
  return position === undefined || Number(position) >= text.length ? 'unexpected EOF' : message
}

/** The schema that is inside optional, nullable and default ones. */
function inner(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) return inner(schema.unwrap())
  return schema
}

/** Renames members to the case that the schema has, and replaces null inside lists and maps by the zero value. */
function fit(schema: z.core.$ZodType, value: unknown): unknown {
  const kind = inner(schema)
  if (kind instanceof z.ZodArray) return Array.isArray(value) ? value.map((item) => fit(kind.element, item ?? zero(kind.element))) : value
  if (!isMap(value)) return value
  if (kind instanceof z.ZodRecord) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fit(kind.valueType, item ?? zero(kind.valueType))]))
  }
  if (!(kind instanceof z.ZodObject)) return value
  const fields = fieldNames(kind)
  const fitted: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    const name = Object.hasOwn(kind.shape, key) ? key : fields.get(key.toLowerCase())
    if (name !== undefined) fitted[name] = fit(kind.shape[name], item)
  }
  return fitted
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const namesOfObjects = new WeakMap<z.ZodObject, ReadonlyMap<string, string>>()

function fieldNames(schema: z.ZodObject): ReadonlyMap<string, string> {
  const known = namesOfObjects.get(schema)
  if (known !== undefined) return known
  const names = new Map(Object.keys(schema.shape).map((name) => [name.toLowerCase(), name]))
  namesOfObjects.set(schema, names)
  return names
}

/** What Go makes of null where a pointer is not expected; null stays null where the schema has it. */
function zero(schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodNullable || (schema instanceof z.ZodOptional && inner(schema) !== schema)) return null
  if (schema instanceof z.ZodString) return ''
  if (schema instanceof z.ZodNumber) return 0
  if (schema instanceof z.ZodBoolean) return false
  if (schema instanceof z.ZodArray) return []
  return {}
}

/** The first thing that is wrong, in Go's words. */
function explain(schema: z.ZodType, error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'does not fit'
  const wanted = issue.path.reduce<z.core.$ZodType | undefined>((at, key) => (at === undefined ? undefined : child(at, key)), schema)
  const type = wanted === undefined ? 'value' : goType(wanted)
  const given = describe(issue.input)
  if (issue.code === 'invalid_union') return `json: cannot unmarshal ${given} into Go value of type string`
  if (issue.path.length === 0) return `json: cannot unmarshal ${given} into Go value of type ${type}`
  const path = issue.path.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1')).join('.')
  return `json: cannot unmarshal ${given} into Go struct field ${prefixOf(schema)}.${path} of type ${type}`
}

/** What Go calls the struct that a path of fields begins in. */
function prefixOf(schema: z.core.$ZodType): string {
  const known = goTypes.get(inner(schema))
  return known?.prefix ?? known?.type.split('.').at(-1) ?? ''
}

function child(schema: z.core.$ZodType, key: PropertyKey): z.core.$ZodType | undefined {
  const kind = inner(schema)
  if (kind instanceof z.ZodObject) return kind.shape[String(key)]
  if (kind instanceof z.ZodRecord) return kind.valueType
  return kind instanceof z.ZodArray ? kind.element : undefined
}

function goType(schema: z.core.$ZodType): string {
  const kind = inner(schema)
  const known = goTypes.get(kind)
  if (known !== undefined) return known.type
  if (kind instanceof z.ZodString) return 'string'
  if (kind instanceof z.ZodNumber) return 'int64'
  if (kind instanceof z.ZodBoolean) return 'bool'
  if (kind instanceof z.ZodArray) return `[]${goType(kind.element)}`
  if (kind instanceof z.ZodRecord) return `map[string]${goType(kind.valueType)}`
  return 'struct {}'
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'number' : `number ${value}`
  if (typeof value === 'boolean') return 'bool'
  return typeof value === 'string' ? 'string' : 'object'
}
