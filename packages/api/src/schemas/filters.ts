import * as z from 'zod'

/** Filters by key; a key's values are alternatives (labels excepted). Which keys there are is the verb's business. */
export type Filters = ReadonlyMap<string, readonly string[]>

const Listed = z.record(z.string(), z.array(z.string()))
/** The form of old, which Go's client still sends: the values are the keys, their booleans mean nothing (moby filters.FromJSON). */
const Mapped = z.record(z.string(), z.record(z.string(), z.boolean()))

/**
 * Reads the `filters` parameter: JSON `{"label": ["a=b"]}` or `{"label": {"a=b": true}}`.
 * @returns undefined when it is neither
 */
export function parseFilters(value: string): Filters | undefined {
  if (value === '') return new Map()
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch {
    return undefined
  }
  const listed = Listed.safeParse(parsed)
  if (listed.success) return new Map(Object.entries(listed.data).map(([key, values]) => [key, [...new Set(values)]]))
  const mapped = Mapped.safeParse(parsed)
  return mapped.success ? new Map(Object.entries(mapped.data).map(([key, values]) => [key, Object.keys(values)])) : undefined
}

/** The `filters` parameter of a query. */
export const filters: z.ZodType<Filters, string | undefined> = z.string().default('').transform((value, context) => {
  const parsed = parseFilters(value)
  if (parsed !== undefined) return parsed
  context.addIssue({ code: 'custom', message: 'invalid filter' })
  return z.NEVER
})
