import type { Digest } from '@engine/image'

/** An image, as a budget sees it. */
export interface BudgetedImage {
  readonly id: Digest
  /** Milliseconds since the epoch. */
  readonly usedAt: number
  /** What its layers take on the disk, in bytes by their ids. */
  readonly layers: ReadonlyMap<string, number>
  /** Something needs it: a container, a build, an image that was made from it. */
  readonly needed: boolean
}

/** Bytes that images take; a layer that several have counts once. */
export function bytesOf(images: readonly BudgetedImage[]): number {
  return [...new Map(images.flatMap(({ layers }) => [...layers])).values()].reduce((sum, bytes) => sum + bytes, 0)
}

/**
 * The image that goes first when images take more than they may: of those that nothing needs the longest unused. One whose layers all
 * belong to images that stay is passed over: its removal would free nothing, now or later.
 * @param maxBytes what they may take
 * @returns undefined when they take no more, or when none can go
 */
export function chooseVictim(images: readonly BudgetedImage[], maxBytes: number): BudgetedImage | undefined {
  if (bytesOf(images) <= maxBytes) return undefined
  const pinned = new Set(images.filter(({ needed }) => needed).flatMap(({ layers }) => [...layers.keys()]))
  const free = images.filter(({ needed, layers }) => !needed && [...layers].some(([id, bytes]) => bytes > 0 && !pinned.has(id)))
  return free.toSorted((a, b) => a.usedAt - b.usedAt || (a.id < b.id ? -1 : 1))[0]
}
