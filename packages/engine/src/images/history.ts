import { parseRfc3339 } from '../clock.ts'
import type { ImageHistoryItem } from '../types/image-views.ts'
import { askedPlatform, checkPlatform } from './check-platform.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { nameViews } from './names.ts'

/**
 * The steps that made an image, newest first; those whose images are here have ids, the others are `<missing>`.
 * @throws EngineError not-found, also for another platform than the one asked for
 */
export async function imageHistory({ store }: ImageVerbs, ref: string, platform?: string): Promise<ImageHistoryItem[]> {
  const image = store.resolve(ref)
  if (platform) checkPlatform(ref, image, askedPlatform(platform))
  const sizes = store.layers.ofImage(image.id).map(({ size }) => size)
  const steps = (image.config.history ?? []).map((step) => ({ step, size: step.empty_layer === true ? 0 : (sizes.shift() ?? 0) }))
  let id: string = image.id
  return steps.reverse().map(({ step, size }) => {
    const at = id === '' ? undefined : store.images.get(id)
    id = at?.parent ?? ''
    const { tags } = nameViews(at === undefined ? [] : store.images.names(at.id))
    return {
      Id: at?.id ?? '<missing>',
      Created: Number(parseRfc3339(step.created ?? '') / 1_000_000_000n),
      CreatedBy: step.created_by ?? '',
      Tags: tags.length === 0 ? null : tags,
      Size: size,
      Comment: step.comment ?? '',
    }
  })
}
