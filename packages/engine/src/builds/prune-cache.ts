import type { Digest } from '@engine/image'
import { EngineError } from '@engine/linux'
import { parseRfc3339 } from '../clock.ts'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import type { Events } from '../events/events.ts'
import { booleanFilter } from '../filters.ts'
import type { BuildCacheRecord, BuildPruneOptions } from '../interface.ts'
import type { ImagesTable } from '../state/images-table.ts'
import type { LayerRow, LayersTable } from '../state/layers-table.ts'
import { untilFilter } from '../until-filter.ts'
import type { BuildEngine } from './build-engine.ts'
import { listCache } from './list-cache.ts'

/** What the cache needs to know of images, and how it lets go of them. */
export interface CacheImages {
  readonly images: Pick<ImagesTable, 'get' | 'names' | 'children' | 'namesByImage'>
  readonly layers: Pick<LayersTable, 'ofImage'>
  readonly events: Pick<Events, 'publish'>
  isHeld(id: string): boolean
  /** The layer that an image has on top of its parent's; undefined when it has none of its own. */
  layerOf(id: string): LayerRow | undefined
  /** Removes an image unless something needs it. @returns bytes of the layers that went with it; undefined when it stays */
  release(id: Digest): Promise<number | undefined>
}

const known = new Set(['until', 'unused-for', 'id', 'parent', 'type', 'description', 'inuse', 'shared', 'private', 'mutable', 'immutable'])

/**
 * Removes entries of the build cache, the longest unused first: images that steps made and nothing else needs, and cache mounts.
 * Without `all`, steps of images that have a name stay.
 * @throws EngineError invalid-argument for unknown filters
 */
export async function pruneCache(engine: BuildEngine, images: CacheImages, options: BuildPruneOptions): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }> {
  refuseUnknownFilters(options.filters, known)
  const passes = filterOf(options)
  const records = (await listCache(engine, images)).toSorted((a, b) => (a.LastUsedAt < b.LastUsedAt ? -1 : 1))
  const needed = options.all ? new Set<string>() : keysOfNamed(engine, images)
  let left = records.reduce((sum, { Size }) => sum + Size, 0)
  const deleted: string[] = []
  let reclaimed = 0
  for (const record of candidates(records)) {
    if (options.keepBytes !== undefined && left <= options.keepBytes) break
    if (record.InUse || needed.has(record.ID) || !passes(record)) continue
    const bytes = await remove(engine, images, record)
    if (bytes === undefined) continue
    deleted.push(record.ID)
    reclaimed += bytes
    left -= record.Size
  }
  images.events.publish('builder', 'prune', '', { reclaimed: String(reclaimed) })
  return { CachesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed }
}

/** Steps after those that were made from them, since an image stays as long as it has children; otherwise the order is kept. */
function candidates(records: readonly BuildCacheRecord[]): BuildCacheRecord[] {
  const byId = new Map(records.map((record) => [record.ID, record]))
  const depth = (record: BuildCacheRecord): number => {
    let steps = 0
    for (let parent = record.Parents?.[0]; parent !== undefined; parent = byId.get(parent)?.Parents?.[0]) steps++
    return steps
  }
  const depths = new Map(records.map((record) => [record, depth(record)]))
  return records.toSorted((a, b) => (depths.get(b) ?? 0) - (depths.get(a) ?? 0))
}

async function remove({ cache, cacheMounts, contexts }: BuildEngine, images: CacheImages, record: BuildCacheRecord): Promise<number | undefined> {
  if (record.Type === 'exec.cachemount') return (await cacheMounts.remove(record.ID)) ? record.Size : undefined
  if (record.Type === 'source.local') return (await contexts.drop(record.ID)) ? record.Size : undefined
  const entry = cache.all().find(({ key }) => key === record.ID)
  if (entry === undefined) return undefined
  cache.delete(record.ID)
  const image = images.images.get(entry.image_id)
  return image === undefined ? 0 : ((await images.release(image.id)) ?? 0)
}

/** Keys of steps that images with a name were made by. */
function keysOfNamed({ cache }: BuildEngine, { images }: CacheImages): Set<string> {
  const chain = new Set<string>()
  for (const named of images.namesByImage().keys()) {
    for (let id: string = named; id !== '' && !chain.has(id); id = images.get(id)?.parent ?? '') chain.add(id)
  }
  return new Set(cache.all().filter(({ image_id }) => chain.has(image_id)).map(({ key }) => key))
}

function filterOf({ filters }: BuildPruneOptions): (record: BuildCacheRecord) => boolean {
  const unused = filters.get('unused-for')
  const until = untilFilter(unused === undefined ? filters : new Map([['until', unused]]))
  const inUse = booleanFilter(filters, 'inuse')
  const shared = booleanFilter(filters, 'shared')
  const isPrivate = booleanFilter(filters, 'private')
  const ids = filters.get('id')?.map(pattern)
  const parents = filters.get('parent')?.map(pattern)
  const types = filters.get('type')
  const descriptions = filters.get('description')?.map(pattern)
  return (record) =>
    (until === undefined || parseRfc3339(record.LastUsedAt) <= until) &&
    (inUse === undefined || record.InUse === inUse) &&
    (shared === undefined || record.Shared === shared) &&
    (isPrivate === undefined || record.Shared !== isPrivate) &&
    (ids === undefined || ids.some((matches) => matches(record.ID))) &&
    (parents === undefined || parents.some((matches) => (record.Parents ?? []).some(matches))) &&
    (types === undefined || types.includes(record.Type)) &&
    (descriptions === undefined || descriptions.some((matches) => matches(record.Description)))
}

/** containerd's filter language has `~=` for patterns; the API's filters are plain: the beginning of an id, a part of a text. */
function pattern(text: string): (value: string) => boolean {
  if (text === '') throw new EngineError('invalid-argument', 'a filter must have a value')
  return (value) => value.includes(text)
}
