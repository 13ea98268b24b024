import { EngineError } from '@engine/linux'
import type { Budgets } from '../budgets.ts'
import type { Builds, Containers, Filters, Images, Volumes } from '../interface.ts'
import type { ImageSummary } from '../types/image-views.ts'
import type { DiskUsage } from '../types/system-views.ts'

/** Where the numbers come from. */
export interface DiskUsageParts {
  readonly containers: Pick<Containers, 'list'>
  readonly images: Pick<Images, 'list'>
  readonly builds: Pick<Builds, 'cache'>
  readonly volumes: Pick<Volumes, 'usage'>
  /** What may take how much. */
  readonly budgets: Pick<Budgets, 'view'>
  /** Bytes on the disk of images' layers: their files, and the tars that they came as. */
  layerBytes(): number
}

/** Here, unlike in the list of images, Docker says null for none. */
function withoutEmptyDigests(image: ImageSummary): ImageSummary {
  return image.RepoDigests?.length === 0 ? { ...image, RepoDigests: null } : image
}

const kinds = ['container', 'image', 'volume', 'build-cache'] as const
const noFilters: Filters = new Map()

/**
 * What takes how much space, for `docker system df`.
 * @param types of objects that are wanted; none means all. Lists that are not wanted are null
 * @throws EngineError invalid-argument for an unknown type
 */
export async function diskUsage(parts: DiskUsageParts, types: readonly string[]): Promise<DiskUsage> {
  const unknown = types.find((type) => !kinds.some((kind) => kind === type))
  if (unknown !== undefined) throw new EngineError('invalid-argument', `unknown object type: ${unknown}`)
  const wants = (kind: (typeof kinds)[number]): boolean => types.length === 0 || types.includes(kind)
  const budgets = await parts.budgets.view()
  return {
    LayersSize: wants('image') ? parts.layerBytes() : 0,
    Images: wants('image') ? (await parts.images.list({ all: false, filters: noFilters, sharedSize: true, digests: false, onDisk: true })).map(withoutEmptyDigests) : null,
    Containers: wants('container') ? await parts.containers.list({ all: true, size: true, filters: noFilters }) : null,
    Volumes: wants('volume') ? await parts.volumes.usage() : null,
    BuildCache: wants('build-cache') ? await parts.builds.cache() : null,
    ...(budgets === undefined ? {} : { Budgets: budgets }),
  }
}
