import { EngineError } from '@engine/linux'
import { matchesLabel } from './events/filter.ts'
import type { Filters } from './interface.ts'

/**
 * A filter that is true or false (`1`, `true`, `0`, `false`); undefined when it is not given.
 * @throws EngineError invalid-argument `invalid filter 'dangling=[x]'`, and without a value `invalid filter 'dangling'`
 */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters.get(key)
  if (values === undefined) return undefined
  if (values.length === 0) throw new EngineError('invalid-argument', `invalid filter '${key}'`)
  const [value] = values
  if (values.length === 1 && (value === '1' || value === 'true')) return true
  if (values.length === 1 && (value === '0' || value === 'false')) return false
  throw new EngineError('invalid-argument', `invalid filter '${key}=[${values.join(' ')}]'`)
}

/** Whether labels have all that `label` asks for and nothing that `label!` excludes. */
export function passesLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  return (filters.get('label') ?? []).every((wanted) => matchesLabel(labels, wanted)) && !(filters.get('label!') ?? []).some((unwanted) => matchesLabel(labels, unwanted))
}
