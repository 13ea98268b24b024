import type { Digest } from '@engine/image'
import type { ImageVerbs } from './image-verbs.ts'

/** Milliseconds that what a broken-off pull has fetched is kept for the next. */
const keepFetched = 24 * 3600 * 1000

/** Removes what was fetched for an image that is none; blobs that others have stay. @returns bytes that were removed */
export async function dropFetched({ store }: Pick<ImageVerbs, 'store'>, blobs: readonly Digest[]): Promise<number> {
  let bytes = 0
  for (const blob of blobs) {
    if (!store.contents.isFetched(blob)) continue
    store.contents.endFetch(blob)
    bytes += await store.content.removePartial(blob)
    if (!store.contents.blobs().has(blob) && store.images.get(blob) === undefined) bytes += await store.content.remove(blob)
  }
  return bytes
}

/** Removes what pulls have fetched that were broken off long ago. */
export async function dropStale(verbs: ImageVerbs): Promise<void> {
  await dropRemains(verbs, Date.now() - keepFetched)
}

/**
 * Removes what pulls have fetched that were broken off, and that no pull wants now.
 * @param before milliseconds since the epoch: what was begun later stays
 * @returns bytes that were removed
 */
export async function dropRemains(verbs: Pick<ImageVerbs, 'store' | 'registries'>, before = Number.POSITIVE_INFINITY): Promise<number> {
  const { store, registries } = verbs
  let bytes = 0
  for (const blob of store.contents.fetchedBefore(Math.min(before, Number.MAX_SAFE_INTEGER))) {
    // Asked for each: a pull may have come meanwhile.
    if (!registries.isWanted(blob)) bytes += await dropFetched(verbs, [blob])
  }
  return bytes
}
