import { chainIds, compressionOf, digestHex, type ArchivedImage, type Digest } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { LayerRow } from '../state/layers-table.ts'
import { shortId } from './errors.ts'
import type { ImageVerbs } from './image-verbs.ts'
import type { ProgressQueue } from './transfer-progress.ts'

interface LayerJob {
  readonly position: number
  readonly diffId: Digest
  readonly file: ArchivedImage['layers'][number]
  /** Ids of the layers below, topmost first. */
  readonly parents: readonly string[]
}

/**
 * Unpacks the layers of images that are not here, several at a time: each is put in place when those below it are.
 * @param queue undefined is told nothing
 * @returns the layers that were made, by id; they are under overlay2/, but not flushed and in no row
 */
export async function unpackLayers(verbs: ImageVerbs, images: readonly ArchivedImage[], queue: ProgressQueue | undefined, signal: AbortSignal): Promise<Map<string, LayerRow>> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const works = new Map<string, Promise<LayerRow>>()
  for (const [id, job] of jobsOf(verbs, images)) {
    const below = works.get(job.parents[0] ?? '')
    const work = makeLayer(verbs, id, job, below, queue, either).catch((error: unknown) => {
      failed.abort()
      throw error
    })
    work.catch(() => undefined)
    works.set(id, work)
  }
  const results = await Promise.allSettled([...works].map(async ([id, work]) => [id, await work] as const))
  // The first that failed, not those that were broken off for it.
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  const isOwn = (error: unknown): boolean => !(error instanceof EngineError && error.code === 'cancelled')
  if (failures.length > 0) throw failures.find(isOwn) ?? failures[0]
  return new Map(results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])))
}

/** The layers that are missing, each once, lower ones first. */
function jobsOf({ store }: ImageVerbs, images: readonly ArchivedImage[]): Map<string, LayerJob> {
  const jobs = new Map<string, LayerJob>()
  for (const { image, layers } of images) {
    const diffIds = image.config.rootfs.diff_ids
    const ids = chainIds(diffIds).map(digestHex)
    for (const [position, id] of ids.entries()) {
      const file = layers[position]
      const diffId = diffIds[position]
      const isHere = store.layers.get(id) !== undefined && store.overlay.hasLayer(id)
      if (!isHere && file !== undefined && diffId !== undefined) jobs.set(id, { position, diffId, file, parents: ids.slice(0, position).reverse() })
    }
  }
  return jobs
}

async function makeLayer({ store }: ImageVerbs, id: string, job: LayerJob, below: Promise<unknown> | undefined, queue: ProgressQueue | undefined, signal: AbortSignal): Promise<LayerRow> {
  const { diffId, file, parents, position } = job
  const name = (found: Digest): string => {
    if (found !== diffId) throw new EngineError('invalid-argument', `invalid diffID for layer ${position}: expected ${JSON.stringify(diffId)}, got ${JSON.stringify(found)}`)
    return id
  }
  const layer = await store.overlay.createLayer({ file: file.file }, parents, name, signal, {
    sync: false,
    ...(below === undefined ? {} : { below }),
    onProgress: (bytes) => queue?.bar(shortId(diffId), 'Loading layer', bytes, file.size),
  })
  return { ...layer, blob: { digest: file.digest, size: file.size, compression: await compressionOf(file.file) } }
}
