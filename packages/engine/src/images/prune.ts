import { familiarName, parseReference } from '@engine/image'
import { EngineError } from '@engine/linux'
import { parseRfc3339 } from '../clock.ts'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import { booleanFilter, passesLabels } from '../filters.ts'
import type { Filters } from '../interface.ts'
import type { ImageDelete } from '../types/image-views.ts'
import { untilFilter } from '../until-filter.ts'
import { dropRemains } from './drop-fetched.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { removeImage } from './remove.ts'

const known = new Set(['dangling', 'label', 'label!', 'until'])

/**
 * Removes images without a name, or (`dangling=false`) all that no container uses; and what broken-off pulls have left, which nothing
 * but the next pull of the same image could use.
 */
export async function pruneImages(verbs: ImageVerbs, filters: Filters): Promise<{ ImagesDeleted: ImageDelete[] | null; SpaceReclaimed: number }> {
  const { events, store } = verbs
  refuseUnknownFilters(filters, known)
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true
  const until = untilFilter(filters)
  const sizes = new Map(store.layers.all().map(({ id, size }) => [`sha256:${id}`, size]))
  const deleted: ImageDelete[] = []
  const remove = async (ref: string): Promise<void> => {
    try {
      deleted.push(...(await removeImage(verbs, ref, { force: false, noPrune: false })))
    } catch (error) {
      // In use, or gone meanwhile: both leave the others to be pruned.
      if (!(error instanceof EngineError && (error.code === 'conflict' || error.code === 'not-found'))) throw error
    }
  }
  for (const { id, config } of store.images.all()) {
    if (store.images.get(id) === undefined) continue
    const names = store.images.names(id)
    if (names.length === 0 && store.images.children(id).length > 0) continue
    if (until !== undefined && (!config.created || parseRfc3339(config.created) > until)) continue
    if (!passesLabels(filters, config.config?.Labels ?? {})) continue
    if (names.length === 0) await remove(id)
    else if (!danglingOnly || names.every((name) => name.includes('@'))) for (const name of names) await remove(familiarName(parseReference(name)))
  }
  // They have no labels.
  const hasLabels = filters.has('label') || filters.has('label!')
  const remains = hasLabels ? 0 : await dropRemains(verbs, until === undefined ? undefined : Number(until / 1_000_000n))
  const reclaimed = deleted.reduce((total, { Deleted: id }) => total + (sizes.get(id ?? '') ?? 0), remains)
  events.publish('image', 'prune', '', { reclaimed: String(reclaimed) })
  return { ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed }
}
