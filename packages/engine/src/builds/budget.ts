import type { EngineOptions } from '../interface.ts'
import type { BuildEngine } from './build-engine.ts'
import { listCache } from './list-cache.ts'
import { pruneCache, type CacheImages } from './prune-cache.ts'

/**
 * Removes entries of the build cache, the longest unused first, until the others take no more than they may. What a build uses stays,
 * and what an image with a name has: that is the images' to pay for.
 * @param maxBytes bytes of steps' layers, cache mounts and kept contexts
 */
export async function buildCacheBudget(engine: BuildEngine, images: CacheImages, maxBytes: number, log: EngineOptions['log']): Promise<void> {
  const records = new Map((await listCache(engine, images)).map((record) => [record.ID, record]))
  if ([...records.values()].reduce((sum, { Size, Shared }) => sum + (Shared ? 0 : Size), 0) <= maxBytes) return
  const { CachesDeleted } = await pruneCache(engine, images, { all: false, filters: new Map(), maxUsedSpace: maxBytes })
  for (const id of CachesDeleted ?? []) {
    const record = records.get(id)
    log('info', { id, type: record?.Type, description: record?.Description, bytes: record?.Size, used: record?.LastUsedAt }, 'an entry of the build cache was removed: it takes more than build-cache-max-size')
  }
}
