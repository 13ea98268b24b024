import { statfsSync } from 'node:fs'
import type { Digest } from '@engine/image'
import { parseRfc3339 } from '../clock.ts'
import type { Events } from '../events/events.ts'
import type { BuildCacheRecord, BuildPruneOptions } from '../interface.ts'
import type { ImagesTable } from '../state/images-table.ts'
import type { LayerRow, LayersTable } from '../state/layers-table.ts'
import type { BuildEngine } from './build-engine.ts'
import { cacheFilter } from './cache-filter.ts'
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
  /** Removes what broken-off pulls have left. @returns bytes */
  dropRemains(): Promise<number>
}

/**
 * Removes entries of the build cache, the longest unused first: images that steps made and nothing else needs, and cache mounts.
 * Without `all`, steps of images that have a name stay.
 * @throws EngineError invalid-argument for filters that are wrong, in Docker's words
 */
export async function pruneCache(engine: BuildEngine, images: CacheImages, options: BuildPruneOptions): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }> {
  const passes = cacheFilter(options.filters)
  const records = await listCache(engine, images)
  const needed = options.all ? new Set<string>() : keysOfNamed(engine, images)
  const own = ({ Shared, Size }: BuildCacheRecord): number => (Shared ? 0 : Size)
  let left = records.reduce((sum, record) => sum + own(record), 0)
  const keep = bytesToKeep(options, left, freeBytes(engine.dataRoot))
  const deleted: string[] = []
  let reclaimed = 0
  for (const record of candidates(records)) {
    if (left <= keep) break
    // The layer of an image that stays frees nothing.
    if (keep >= 0 && record.Shared) continue
    if (record.InUse || needed.has(record.ID) || !passes(record)) continue
    const bytes = await remove(engine, images, record)
    if (bytes === undefined) continue
    deleted.push(record.ID)
    reclaimed += bytes
    left -= own(record)
  }
  // What pulls for builds have left as well; it is no entry that a filter could be asked about.
  if (options.filters.size === 0 && keep < 0) reclaimed += await images.dropRemains()
  images.events.publish('builder', 'prune', '', { reclaimed: String(reclaimed) })
  return { CachesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed }
}

/**
 * How much of the cache may stay, as BuildKit reckons it (cache/manager.go, calculateKeepBytes): as much as is allowed, less what must
 * be freed, but never less than what is reserved. Without any bound nothing stays. Unlike there, when space is all that is wanted and
 * there is enough, everything stays.
 * @param total bytes of the whole cache
 * @param free  bytes that are free on its file system
 */
export function bytesToKeep({ reservedSpace = 0, maxUsedSpace = 0, minFreeSpace = 0 }: Omit<BuildPruneOptions, 'all' | 'filters'>, total: number, free: number): number {
  // Nothing is smaller: entries of no bytes go as well.
  if (reservedSpace === 0 && maxUsedSpace === 0 && minFreeSpace === 0) return -1
  const excess = minFreeSpace - free
  if (excess <= 0 && minFreeSpace > 0 && maxUsedSpace === 0) return total
  const allowed = excess <= 0 ? maxUsedSpace : maxUsedSpace === 0 ? total - excess : Math.min(maxUsedSpace, total - excess)
  return Math.max(allowed, reservedSpace)
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}

/**
 * The longest unused first. A step is as long in use as what was made from it, and goes after that: an image stays as long as it has
 * children.
 */
function candidates(records: readonly BuildCacheRecord[]): BuildCacheRecord[] {
  const byId = new Map(records.map((record) => [record.ID, record]))
  const depths = new Map<string, number>()
  const lastUses = new Map(records.map(({ ID, LastUsedAt }) => [ID, parseRfc3339(LastUsedAt)]))
  for (const { ID, LastUsedAt } of records) {
    const used = parseRfc3339(LastUsedAt)
    let depth = 0
    for (let above = byId.get(ID)?.Parents?.[0]; above !== undefined; above = byId.get(above)?.Parents?.[0]) {
      depth++
      if (used > (lastUses.get(above) ?? 0n)) lastUses.set(above, used)
    }
    depths.set(ID, depth)
  }
  const of = ({ ID }: BuildCacheRecord): readonly [bigint, number] => [lastUses.get(ID) ?? 0n, depths.get(ID) ?? 0]
  return records.toSorted((a, b) => {
    const [[used, depth], [usedToo, depthToo]] = [of(a), of(b)]
    return used === usedToo ? depthToo - depth : used < usedToo ? -1 : 1
  })
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
