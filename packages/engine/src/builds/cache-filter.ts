import { EngineError } from '@engine/linux'
import { parseRfc3339 } from '../clock.ts'
import type { BuildCacheRecord, Filters } from '../interface.ts'
import { untilFilter } from '../until-filter.ts'

type Passes = (record: BuildCacheRecord) => boolean

/** What a filter's value is compared with. */
const fields: Readonly<Record<string, (value: string | undefined) => Passes>> = {
  id: (value) => {
    const matches = idPattern(value ?? '')
    return ({ ID }) => matches(ID)
  },
  parent: (value) => ({ Parents }) => (value === undefined ? Parents !== undefined : Parents?.includes(value) === true),
  type: (value) => ({ Type }) => value === undefined || Type === value,
  description: (value) => ({ Description }) => value === undefined || Description === value,
  inuse: (value) => flag(value, ({ InUse }) => InUse),
  shared: (value) => flag(value, ({ Shared }) => Shared),
  private: (value) => flag(value, ({ Shared }) => !Shared),
  // Of `system prune --filter label=…`, which asks for everything with one filter. No record has a label; Docker takes these for no filter.
  label: () => () => false,
  'label!': () => () => true,
}

/**
 * The filters of `POST /build/prune` (moby daemon/internal/builder-next, toBuildkitPruneInfo): each has one value at most, all must pass.
 * `id` is a part of an id, the others are equal or not; `inuse`, `shared` and `private` stand alone or are true or false.
 * @throws EngineError invalid-argument in Docker's words
 */
export function cacheFilter(filters: Filters): Passes {
  const wanted: Passes[] = []
  for (const [name, values] of filters) {
    if (name === 'until' || name === 'unused-for') continue
    const field = fields[name]
    if (field === undefined || !Object.hasOwn(fields, name)) throw refused(`invalid filter '${name}'`)
    if (values.length > 1 && !name.startsWith('label')) throw refused('filters expect only one value')
    wanted.push(field(values[0]))
  }
  const until = moment(filters)
  return (record) => (until === undefined || parseRfc3339(record.LastUsedAt) <= until) && wanted.every((passes) => passes(record))
}

function moment(filters: Filters): bigint | undefined {
  const until = filters.get('until') ?? []
  const unused = filters.get('unused-for') ?? []
  if (until.length > 0 && unused.length > 0) throw refused('conflicting filters: "until" and "unused-for"')
  const values = [...until, ...unused]
  if (values.length > 1) throw refused('filters expect only one value')
  try {
    return untilFilter(new Map([['until', values]]))
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw refused(`${JSON.stringify(unused.length > 0 ? 'unused-for' : 'until')} filter expects a duration (e.g., '24h') or a timestamp: ${error.message}`)
  }
}

function flag(value: string | undefined, holds: Passes): Passes {
  if (value === undefined || value === 'true' || value === '1') return holds
  return value === 'false' || value === '0' ? (record) => !holds(record) : () => false
}

/**
 * BuildKit takes a regular expression here. Ids are digits and letters, so that anchors and `.*` are what it may need; more is not
 * read, because an expression of a client's may take for ever.
 */
function idPattern(text: string): (id: string) => boolean {
  const from = text.startsWith('^')
  const to = text.endsWith('$')
  const parts = text.slice(from ? 1 : 0, to ? -1 : undefined).split('.*')
  return (id) => {
    let at = 0
    for (const [index, part] of parts.entries()) {
      const last = to && index === parts.length - 1
      const found = from && index === 0 ? (id.startsWith(part) ? 0 : -1) : last ? id.length - part.length : id.indexOf(part, at)
      if (found < at || !id.startsWith(part, found)) return false
      at = found + part.length
    }
    return !to || at === id.length
  }
}

function refused(message: string): EngineError {
  return new EngineError('invalid-argument', `failed to prune build cache: ${message}`)
}
