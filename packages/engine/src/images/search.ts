import { search, type Credentials, type SearchResult } from '@engine/image'
import { EngineError } from '@engine/linux'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import { booleanFilter } from '../filters.ts'
import type { Filters } from '../interface.ts'
import type { ImageVerbs } from './image-verbs.ts'

const known = new Set(['is-automated', 'is-official', 'stars'])

/** Repositories that Docker Hub, or the registry that the term names, finds. */
export async function searchImages({ registries }: ImageVerbs, term: string, options: { readonly limit: number | undefined; readonly filters: Filters; readonly credentials?: Credentials | undefined }, signal: AbortSignal): Promise<SearchResult[]> {
  const { filters, credentials } = options
  const limit = options.limit === undefined || options.limit === 0 ? 25 : options.limit
  if (limit < 1 || limit > 100) throw new EngineError('invalid-argument', `limit ${limit} is outside the range of [1, 100]`)
  refuseUnknownFilters(filters, known)
  const automated = booleanFilter(filters, 'is-automated')
  const official = booleanFilter(filters, 'is-official')
  const stars = Math.max(0, ...(filters.get('stars') ?? []).map((text) => {
    if (!/^\d+$/.test(text)) throw new EngineError('invalid-argument', `invalid filter 'stars=[${text}]'`)
    return Number(text)
  }))
  // Nothing is automated any more: Docker answers as if it had asked.
  if (automated === true) return []
  const found = await search(term, limit, credentials, registries.options, signal)
  return found.filter((one) => one.star_count >= stars && (official === undefined || one.is_official === official))
}
