import { randomUUID } from 'node:crypto'
import { chainIds, digestHex, familiarName, fullName, parsePlatform, readImageArchive, type ArchivedImage, type Digest } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { Readable } from 'node:stream'
import type { Images, Progress } from '../interface.ts'
import type { ImageContent } from '../state/image-contents-table.ts'
import type { LayerRow } from '../state/layers-table.ts'
import type { ImageStore } from './image-store.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { unpackLayers } from './load-layers.ts'
import { reporting } from './transfer-progress.ts'

/**
 * Takes in the images of an archive (compressed or not); yields Docker's progress. All are checked and unpacked before the first is
 * put into the database: of an archive that is bad in any part nothing stays.
 * @throws EngineError invalid-argument for what is damaged, too large, or no image archive
 */
export function loadImages(verbs: ImageVerbs, tar: Readable, options: Parameters<Images['load']>[1], signal: AbortSignal): AsyncIterable<Progress> {
  return reporting(signal, async (queue, either) => {
    const { store } = verbs
    const platform = options.platform ? parsePlatform(options.platform) : undefined
    using _held = store.hold(`load ${randomUUID()}`)
    await using scratch = await store.content.scratch()
    const unpacked = await verbs.transfers.feed({ kind: 'unpack-archive', directory: scratch.directory, limits: verbs.limits }, tar, either)
    const images = readImageArchive(unpacked, platform).filter(({ image: { config } }) => platform === undefined || (config.os === platform.os && config.architecture === platform.architecture && (platform.variant ?? config.variant) === config.variant))
    if (images.length === 0) throw new EngineError('not-found', options.platform === undefined ? 'the archive holds no image' : `the archive holds no image for platform ${options.platform}`)
    try {
      const made = await unpackLayers(verbs, images, options.quiet ? undefined : queue, either)
      for (const line of await commit(verbs, images, made)) queue.push(line)
    } catch (error) {
      store.abandon()
      throw error
    }
    for (const { image } of images) store.publish('load', image, image.id)
  })
}

/**
 * Everything on the disk first, then the rows of all images with their names at once: an archive is there whole or not at all.
 * @returns what there is to tell of it
 */
async function commit({ store }: ImageVerbs, images: readonly ArchivedImage[], made: ReadonlyMap<string, LayerRow>): Promise<Progress[]> {
  const adopted = new Set<Digest>()
  for (const { image, layers, manifest, index } of images) {
    for (const document of [image, manifest, index?.document]) if (document !== undefined) await store.content.put(document.bytes, { sync: false })
    const wanted = new Set(rowsOf(image.config.rootfs.diff_ids, made).map(({ blob }) => blob?.digest))
    const attachments = (index?.attachments ?? []).map(({ blob }) => blob)
    for (const { digest, file } of [...layers.filter((layer) => wanted.has(layer.digest) || manifest !== undefined), ...attachments]) {
      if (adopted.has(digest)) continue
      await store.content.adoptFile(file, digest)
      adopted.add(digest)
    }
  }
  await store.overlay.sync()
  const told = store.atOnce(() => images.flatMap((one) => {
    const { image, manifest, index } = one
    store.insert(image, '', rowsOf(image.config.rootfs.diff_ids, made), () => {
      for (const content of contentsOf(manifest, index)) store.contents.insert(image.id, content)
    })
    return giveNames(store, one)
  }))
  // A layer that another load or pull has put in place meanwhile has its own tar.
  const blobs = store.contents.blobs()
  for (const digest of adopted) if (!blobs.has(digest)) await store.content.remove(digest)
  return told
}

function rowsOf(diffIds: readonly Digest[], made: ReadonlyMap<string, LayerRow>): LayerRow[] {
  return chainIds(diffIds).flatMap((chainId) => made.get(digestHex(chainId)) ?? [])
}

function contentsOf(manifest: ArchivedImage['manifest'], index: ArchivedImage['index']): ImageContent[] {
  if (manifest === undefined) return []
  const { digest, mediaType, bytes } = manifest
  return [
    { manifest: digest, digest, mediaType, size: bytes.length, role: 'manifest' },
    ...manifest.layers.map((layer): ImageContent => ({ manifest: digest, digest: layer.digest, mediaType: layer.mediaType, size: layer.size, role: 'layer' })),
    ...(index === undefined ? [] : [{ manifest: digest, digest: index.document.digest, mediaType: index.document.mediaType, size: index.document.bytes.length, role: 'index' } satisfies ImageContent]),
    ...(index?.attachments ?? []).map(({ mediaType: type, blob }): ImageContent => ({ manifest: digest, digest: blob.digest, mediaType: type, size: blob.size, role: 'attachment' })),
  ]
}

/** Gives an image its names. @returns what Docker says of it (moby image/tarexport/load.go) */
function giveNames(store: ImageStore, { image, names }: ArchivedImage): Progress[] {
  const lines = names.flatMap((name): Progress[] => {
    const before = store.images.byName(fullName(name))
    store.images.setPulledName(fullName(name), image.id)
    const moved = before === undefined || before === image.id ? [] : [{ stream: `The image ${familiarName(name)} already exists, renaming the old one with ID ${before} to empty string\n` }]
    return [...moved, { stream: `Loaded image: ${familiarName(name)}\n` }]
  })
  return names.length === 0 ? [{ stream: `Loaded image ID: ${image.id}\n` }] : lines
}
