import * as z from 'zod'

/**
 * Building blocks for bodies as Go's encoding/json reads them, which is what Docker's clients were written against: every field may be
 * left out or null (then it has its zero value), names match whatever their case, unknown ones are ignored. Null inside a list or map
 * and the case of names are dealt with by `readJson` (json-body.ts) before a schema sees the value; the schemas stay plain.
 */

/**
 * What Go calls a type, in the complaints of its decoder: `container.UpdateConfig`. `prefix` is what stands before the path of a
 * field, where that is not the type's own name: nothing for structs that hold another one's fields.
 */
export const goTypes = z.registry<{ readonly type: string; readonly prefix?: string }>()

/** Any whole number; int64 values above 2^53 lose their last digits, as everywhere in JavaScript. */
export const wholeNumber = z.number().refine(Number.isInteger).meta({ type: 'integer' })

export const text = z.string().nullish()
export const flag = z.boolean().nullish()
export const integer = wholeNumber.nullish()
export const texts = z.array(z.string()).nullish()
export const textMap = z.record(z.string(), z.string()).nullish()

/** Go's `map[string]struct{}`. */
export const textSet = z.record(z.string(), z.object({})).nullish()

/** Go's `strslice.StrSlice`: a list, or one string. */
export const command = z.union([z.array(z.string()), z.string().transform((word) => [word])]).nullish()
