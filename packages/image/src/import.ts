import type { Blob, ContentStore } from './content/store.ts'
import type { Digest } from './digest.ts'
import { digestHex } from './digest.ts'
import { writeImageConfig, type Image, type RunConfig } from './image-config.ts'
import { compressionOf, type Compression } from './layer/compression.ts'
import type { Platform } from './platform.ts'
import type { Layer } from './snapshot/layer-maker.ts'
import type { OverlayStore } from './snapshot/overlay.ts'

export interface ImportOptions {
  readonly message: string
  /** What containers of the image begin with; the caller has applied `--change` to it. */
  readonly config: RunConfig
  readonly platform: Platform
  /** RFC 3339 */
  readonly created: string
  /** Most bytes of the tar, as it comes. */
  readonly maxBytes?: number | undefined
}

export interface Imported {
  readonly image: Image
  readonly layer: Layer
  readonly diffId: Digest
  /** The tar as it was given, kept so that the layer has the same digest when it is pushed. */
  readonly blob: Blob & { readonly compression: Compression }
}

/**
 * Makes an image of one layer from a tar (`docker import`): plain, gzip, zstd, xz or bzip2. The configuration is stored as content too.
 * @throws EngineError invalid-argument for what is no tar; its bytes stay in the content store until the caller removes what nothing refers to
 */
export async function importImage(
  tar: AsyncIterable<Buffer>,
  stores: { readonly content: ContentStore; readonly snapshots: OverlayStore },
  options: ImportOptions,
  signal?: AbortSignal,
): Promise<Imported> {
  const blob = await stores.content.ingest(tar, options.maxBytes === undefined ? {} : { limit: options.maxBytes })
  const file = stores.content.path(blob.digest)
  const compression = await compressionOf(file)
  const layer = await stores.snapshots.createLayer({ file }, [], digestHex, signal)
  const image = writeImageConfig({
    architecture: options.platform.architecture,
    ...(options.platform.variant === undefined ? {} : { variant: options.platform.variant }),
    os: options.platform.os,
    created: options.created,
    ...(options.message === '' ? {} : { comment: options.message }),
    config: options.config,
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    history: [{ created: options.created, ...(options.message === '' ? {} : { comment: options.message }) }],
  })
  await stores.content.put(image.bytes)
  return { image, layer, diffId: layer.diffId, blob: { ...blob, compression } }
}
