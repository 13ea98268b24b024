import {
  familiarName, fullName, isDigest, mediaTypes, parseReference, readUncompressed, storedName, writeImageArchive,
  type ArchiveBlob, type Digest, type Reference, type SavedImage,
} from '@engine/image'
import { EngineError } from '@engine/linux'
import type { ImageRow } from '../state/images-table.ts'
import type { LayerRow } from '../state/layers-table.ts'
import { checkPlatform } from './check-platform.ts'
import type { ImageStore } from './image-store.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { planPush } from './push-plan.ts'

/**
 * The archive of images, as `docker save` writes it, as a stream: nothing is written to disk for it. The images stay until it is
 * disposed.
 * @param refs names (one without a tag means all its tags) or ids
 * @throws EngineError not-found, invalid-argument for what is neither
 */
export async function saveImages(verbs: ImageVerbs, refs: readonly string[], platform: string | undefined): Promise<{ readonly tar: AsyncIterable<Buffer> } & Disposable> {
  const { store } = verbs
  const chosen = choose(store, refs)
  if (platform) for (const [id] of chosen) refuseOther(store.resolve(id), platform)
  using held = new DisposableStack()
  for (const id of chosen.keys()) held.use(store.hold(id))
  const images: SavedImage[] = []
  for (const [id, names] of chosen) images.push(await savedImage(store, store.resolve(id), names))
  const holding = held.move()
  return {
    tar: telling(verbs, chosen, writeImageArchive(images)),
    [Symbol.dispose]: () => holding.dispose(),
  }
}

/** Tells the world of each image when the archive is complete. */
async function* telling({ store }: ImageVerbs, chosen: ReadonlyMap<Digest, unknown>, tar: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  yield* tar
  for (const id of chosen.keys()) {
    const image = store.images.get(id)
    if (image !== undefined) store.publish('save', image, id)
  }
}

/** Images with the names that they are saved under, as Docker reads them (moby image/tarexport/save.go, parseNames). */
function choose(store: ImageStore, refs: readonly string[]): Map<Digest, Reference[]> {
  const chosen = new Map<Digest, Map<string, Reference>>()
  const add = (id: Digest, reference: Reference | undefined): void => {
    const names = chosen.get(id) ?? new Map<string, Reference>()
    chosen.set(id, names)
    if (reference?.tag !== undefined && reference.digest === undefined) names.set(fullName(reference), reference)
  }
  for (const ref of refs) {
    if (isDigest(ref) || /^[0-9a-f]{64}$/.test(ref)) {
      add(store.resolve(ref).id, undefined)
      continue
    }
    const reference = parseReference(ref)
    if (reference.tag !== undefined || reference.digest !== undefined) {
      const id = store.images.byName(storedName(reference))
      // Docker's words, where a tag or digest was named.
      if (id === undefined) throw new EngineError('not-found', 'reference does not exist')
      add(id, reference)
      continue
    }
    const tags = tagsOf(store, reference)
    for (const [id, tag] of tags) add(id, tag)
    if (tags.length === 0) add(resolve(store, ref).id, undefined)
  }
  return new Map([...chosen].map(([id, names]) => [id, [...names.values()]]))
}

/** Docker's save names what was given, not `x:latest`. */
function resolve(store: ImageStore, ref: string): ImageRow {
  try {
    return store.resolve(ref)
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'not-found') throw error
    throw new EngineError('not-found', `No such image: ${ref}`, { cause: error })
  }
}

function tagsOf(store: ImageStore, { domain, path }: Reference): (readonly [Digest, Reference])[] {
  const names = [...store.images.namesByImage()].flatMap(([id, all]) => all.map((name) => [id, parseReference(name)] as const))
  return names.filter(([, name]) => name.domain === domain && name.path === path && name.tag !== undefined).sort(([, a], [, b]) => (familiarName(a) < familiarName(b) ? -1 : 1))
}

function refuseOther(image: ImageRow, platform: string): void {
  try {
    checkPlatform(image.id, image, platform)
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'not-found') throw error
    throw new EngineError('not-found', `no suitable export target found for platform ${platform}`, { cause: error })
  }
}

/** An image that came from a registry, whole, is saved with its manifest and the layers as they came; others with plain layers. */
async function savedImage(store: ImageStore, image: ImageRow, names: readonly Reference[]): Promise<SavedImage> {
  const config = store.images.bytes(image.id)
  if (config === undefined) throw new EngineError('not-found', `No such image: ${image.id}`)
  const { manifests, others, top, index } = await planPush(store, image)
  const kept = [...manifests, top].find((one) => one?.kind === 'manifest' && one.config.digest === image.id)
  const stored = ({ digest, size, mediaType }: Omit<ArchiveBlob, 'read'>): ArchiveBlob => ({ digest, size, mediaType, read: () => store.content.stream(digest) as AsyncIterable<Buffer> })
  const layers =
    kept?.kind === 'manifest'
      ? kept.layers.map(stored)
      : store.layers.ofImage(image.id).map((layer) => plainLayer(store, layer))
  // Its index goes along when it says more than the manifest: as it came, though other platforms are not here.
  const attached = manifests.filter((one) => one !== kept).map((one): ArchiveBlob => ({ digest: one.digest, size: one.bytes.length, mediaType: one.mediaType, read: () => [one.bytes] }))
  const named = index === undefined || attached.length === 0 ? undefined : { bytes: index.bytes, mediaType: index.mediaType, others: [...attached, ...others.map(stored)] }
  return { id: image.id, config, diffIds: image.config.rootfs.diff_ids, layers, manifest: kept, index: named, names }
}

function plainLayer(store: ImageStore, { id, blob, diffId, tarSize }: LayerRow): ArchiveBlob {
  const read = (): AsyncIterable<Buffer> => (blob === undefined ? (store.overlay.archiveStream(id) as AsyncIterable<Buffer>) : readUncompressed(store.content.path(blob.digest)))
  return { digest: diffId, size: tarSize, mediaType: mediaTypes.ociLayer, read }
}
