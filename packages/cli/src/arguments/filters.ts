import { list, type Flag } from './flag.ts'

/** The API's form of filters: values by key, as sets. */
export type Filters = Readonly<Record<string, Readonly<Record<string, true>>>>

/** The flag `--filter key=value`. */
export function filterFlag(description: string, short?: string): Flag<readonly (readonly [string, string])[]> {
  return list(description, { ...(short === undefined ? {} : { short }), word: 'filter', read: readFilter })
}

function readFilter(given: string): readonly [string, string] {
  const at = given.indexOf('=')
  if (at === -1 && given !== '') throw new Error('bad format of filter (expected name=value)')
  return [given.slice(0, at).trim().toLowerCase(), given.slice(at + 1).trim()]
}

/** Gathers filters for a query; undefined when there are none. */
export function toFilters(given: readonly (readonly [string, string])[]): Filters | undefined {
  const filters: Record<string, Record<string, true>> = {}
  for (const [key, value] of given) {
    if (key === '' && value === '') continue
    const values = (filters[key] ??= {})
    values[value] = true
  }
  return Object.keys(filters).length === 0 ? undefined : filters
}
