import type { Digest } from '@engine/image'
import type { BuildCacheRecord } from '../interface.ts'
import type { BuildEngine } from './build-engine.ts'
import type { CacheImages } from './prune-cache.ts'

/**
 * What the build cache has: steps by their keys, and cache mounts. A step's size is that of the layer that it made; it is shared when
 * an image with a name has the layer too.
 */
export async function listCache({ cache, cacheMounts, contexts }: BuildEngine, images: CacheImages): Promise<BuildCacheRecord[]> {
  const named = layersOfNamed(images)
  const entries = cache.all()
  const byImage = new Map(entries.map(({ key, image_id }) => [image_id, key]))
  const steps = entries.map((entry): BuildCacheRecord => {
    const image = images.images.get(entry.image_id)
    const parent = image === undefined ? undefined : byImage.get(image.parent)
    const layer = images.layerOf(entry.image_id)
    return {
      ID: entry.key,
      ...(parent === undefined ? {} : { Parents: [parent] }),
      Type: 'regular',
      Description: entry.instruction,
      InUse: images.isHeld(entry.image_id),
      Shared: layer !== undefined && named.has(layer.id),
      Size: layer?.size ?? 0,
      CreatedAt: entry.created_at,
      LastUsedAt: entry.used_at,
      UsageCount: entry.uses,
    }
  })
  const mounts = (await cacheMounts.list()).map((mount): BuildCacheRecord => ({
    ID: mount.directory,
    Type: 'exec.cachemount',
    Description: `cached mount ${mount.name}`,
    InUse: mount.inUse,
    Shared: false,
    Size: mount.size,
    CreatedAt: mount.created_at,
    LastUsedAt: mount.used_at,
    UsageCount: mount.uses,
  }))
  const kept = (await contexts.list()).map(({ slot, size, used, inUse }): BuildCacheRecord => ({
    ID: slot,
    Type: 'source.local',
    Description: 'local source for context',
    InUse: inUse,
    Shared: false,
    Size: size,
    CreatedAt: used.toISOString(),
    LastUsedAt: used.toISOString(),
    UsageCount: 1,
  }))
  return [...steps, ...mounts, ...kept]
}

/** Layers that an image with a name has. */
function layersOfNamed({ images, layers }: CacheImages): Set<string> {
  const ids = [...images.namesByImage().keys()]
  return new Set(ids.flatMap((id: Digest) => layers.ofImage(id).map((layer) => layer.id)))
}
