import { EngineError } from '@engine/linux'
import { dropRemains } from '../images/drop-fetched.ts'
import type { ImageVerbs } from '../images/image-verbs.ts'
import { removeImage } from '../images/remove.ts'
import type { CacheImages } from './prune-cache.ts'

/** Images as the build cache sees them. */
export function cacheImages(verbs: ImageVerbs): CacheImages {
  const { store, events } = verbs
  return {
    events,
    images: store.images,
    layers: store.layers,
    isHeld: (id) => store.isHeld(id),
    dropRemains: () => dropRemains(verbs),
    layerOf(id) {
      const image = store.images.get(id)
      const below = image === undefined || image.parent === '' ? undefined : store.images.get(image.parent)
      const count = image?.config.rootfs.diff_ids.length ?? 0
      return image === undefined || count === (below?.config.rootfs.diff_ids.length ?? 0) ? undefined : store.layers.ofImage(image.id).at(-1)
    },
    async release(id) {
      if (store.images.names(id).length > 0) return undefined
      const sizes = new Map<string | undefined, number>(store.layers.ofImage(id).map((layer) => [`sha256:${layer.id}`, layer.size]))
      try {
        const removed = await removeImage(verbs, id, { force: false, noPrune: true })
        return removed.reduce((sum, { Deleted }) => sum + (sizes.get(Deleted) ?? 0), 0)
      } catch (error) {
        // Something was made from it, or uses it.
        if (error instanceof EngineError && (error.code === 'conflict' || error.code === 'not-found')) return undefined
        throw error
      }
    },
  }
}
