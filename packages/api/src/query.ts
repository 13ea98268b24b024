import * as z from 'zod'
import { RequestError } from './errors.ts'

/**
 * Reads a query string by a schema of strings and lists of strings: of a parameter given several times the first counts, unless
 * the schema has a list; unknown ones are ignored.
 * @throws RequestError 400 with the schema's text
 */
export function readQuery<S extends z.ZodObject>(schema: S, query: string): z.infer<S> {
  const parameters = new URLSearchParams(query)
  const given: Record<string, string | string[]> = {}
  for (const [name, field] of Object.entries(schema.shape)) {
    if (!parameters.has(name)) continue
    given[name] = isList(field) ? parameters.getAll(name) : (parameters.get(name) ?? '')
  }
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new RequestError(parsed.error.issues[0]?.message ?? 'invalid query')
}

function isList(field: z.core.$ZodType): boolean {
  if (field instanceof z.ZodDefault || field instanceof z.ZodOptional) return isList(field.unwrap())
  if (field instanceof z.ZodPipe) return isList(field.in)
  return field instanceof z.ZodArray
}
