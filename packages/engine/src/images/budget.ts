import type { Digest } from '@engine/image'
import { removeImage } from './remove.ts'
import { bytesOf, chooseVictim, type BudgetedImage } from './choose-victims.ts'
import type { ImageVerbs } from './image-verbs.ts'

/** Milliseconds since its last use in which an image stays: it may have been pulled for a container that is about to be made. */
const grace = 120_000

/** What images may take, and what they take. */
export interface ImageBudgetParts {
  readonly verbs: ImageVerbs
  /** Ids of images that steps of builds made: those without a name belong to the build cache, which has a budget of its own. */
  readonly ofBuilds: () => ReadonlySet<string>
}

/**
 * Removes images, the longest unused first, until the others take no more than they may. What a container uses, even a stopped one,
 * stays, and what a build uses; nothing is removed while a pull or a load is under way, which may need any of it.
 * @param maxBytes bytes of layers on the disk: their files, and the tars that they came as
 * @param now      milliseconds since the epoch
 * @returns bytes that were freed
 */
export async function keepToBudget(parts: ImageBudgetParts, maxBytes: number, now: number): Promise<number> {
  const { store, events, log } = parts.verbs
  let freed = 0
  // Asked anew for each: between two, anything may have happened. From the choice to the removal nothing else runs.
  while (!store.isTransferring) {
    const images = budgetedImages(parts, now)
    const victim = chooseVictim(images, maxBytes)
    if (victim === undefined) break
    const [before, names] = [bytesOf(images), store.images.names(victim.id)]
    await removeImage(parts.verbs, victim.id, { force: true, noPrune: true })
    const bytes = before - bytesOf(budgetedImages(parts, now))
    freed += bytes
    log('info', { image: victim.id, names, bytes, used: new Date(victim.usedAt).toISOString() }, 'an image was removed: images take more than image-max-size')
  }
  if (freed > 0) events.publish('image', 'prune', '', { reclaimed: String(freed) })
  return freed
}

/** Bytes that the images take which count. */
export function budgetedBytes(parts: ImageBudgetParts): number {
  return bytesOf(budgetedImages(parts, 0))
}

function budgetedImages({ verbs: { store, containers }, ofBuilds }: ImageBudgetParts, now: number): BudgetedImage[] {
  const [names, layers, uses, steps] = [store.images.namesByImage(), store.layers.byImage(), store.uses.all(), ofBuilds()]
  const isNeeded = (id: Digest, usedAt: number): boolean =>
    usedAt > now - grace || store.isHeld(id) || store.images.children(id).length > 0 || containers.usersOfImage(id).length > 0
  return store.images.all().filter(({ id }) => names.has(id) || !steps.has(id)).map(({ id }) => {
    const usedAt = uses.get(id) ?? 0
    return {
      id, usedAt,
      layers: new Map((layers.get(id) ?? []).map(({ id: layer, size, blob }) => [layer, size + (blob?.size ?? 0)])),
      needed: isNeeded(id, usedAt),
    }
  })
}
