import { digestOf, mediaTypes, parseManifest, type Digest, type Index, type Manifest } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { ImageRow } from '../state/images-table.ts'
import type { ImageStore } from './image-store.ts'
import { layerBlob, type LayerBlob } from './push-blob.ts'

/** What is sent for an image: blobs, then manifests, the one that the tag names last. */
export interface PushPlan {
  readonly layers: readonly LayerBlob[]
  /** What belongs to attestations. */
  readonly others: readonly { readonly digest: Digest; readonly size: number; readonly mediaType: string }[]
  readonly config: { readonly digest: Digest; readonly size: number }
  /** Manifests that the last one names; pushed by digest. */
  readonly manifests: readonly (Manifest | Index)[]
  /** undefined when it is to be made of the layers, once they are compressed. */
  readonly top: Manifest | Index | undefined
  /** The index that it came with, whole or not. */
  readonly index: Index | undefined
}

/**
 * Decides what an image is pushed as. One that came from a registry goes as it came, with the same digests, if all its blobs are here;
 * for others a manifest of Docker's kind is made of their layers.
 */
export async function planPush(store: ImageStore, image: ImageRow): Promise<PushPlan> {
  return (await keptPlan(store, image)) ?? newPlan(store, image)
}

async function keptPlan(store: ImageStore, image: ImageRow): Promise<PushPlan | undefined> {
  const contents = store.contents.ofImage(image.id)
  for (const { digest, mediaType } of contents.filter(({ role }) => role === 'manifest')) {
    const manifest = parseManifest(await store.content.read(digest), mediaType)
    if (manifest.kind !== 'manifest') continue
    const blobs = await Promise.all(manifest.layers.map((layer) => store.content.size(layer.digest)))
    if (blobs.some((size, at) => size !== manifest.layers[at]?.size)) continue
    const own = contents.filter((content) => content.manifest === digest)
    const attached = own.filter(({ role }) => role === 'attachment')
    const index = own.find(({ role }) => role === 'index')
    const attachments: Manifest[] = []
    for (const one of attached.filter((content) => content.mediaType === mediaTypes.ociManifest || content.mediaType === mediaTypes.dockerManifest)) {
      const parsed = parseManifest(await store.content.read(one.digest), one.mediaType)
      if (parsed.kind === 'manifest') attachments.push(parsed)
    }
    const came = index === undefined ? undefined : parseManifest(await store.content.read(index.digest), index.mediaType)
    const top = came === undefined ? manifest : indexFor(came, [manifest, ...attachments])
    return {
      layers: manifest.layers.map((layer, at) => ({ ...layer, diffId: image.config.rootfs.diff_ids[at] ?? layer.digest })),
      others: attachments.flatMap(({ config, layers }) => [config, ...layers]),
      config: manifest.config,
      manifests: top === manifest ? [] : [...attachments, manifest],
      top,
      index: came?.kind === 'index' ? came : undefined,
    }
  }
  return undefined
}

/**
 * The index that can be pushed: as it came if everything that it names is here. Otherwise (other platforms were never fetched) one of
 * what is here, if that is more than the image; a registry takes no index that names what it lacks.
 */
function indexFor(index: Manifest | Index, here: readonly Manifest[]): Manifest | Index {
  const [manifest] = here
  if (manifest === undefined) throw new EngineError('internal', 'an image has no manifest')
  if (index.kind !== 'index') return manifest
  const kept = index.manifests.filter(({ digest }) => here.some((one) => one.digest === digest))
  if (kept.length === index.manifests.length) return index
  if (kept.length < 2) return manifest
  const bytes = Buffer.from(JSON.stringify({ ...(JSON.parse(index.bytes.toString('utf8')) as object), manifests: kept }))
  return { ...index, manifests: kept, bytes, digest: digestOf(bytes) }
}

function newPlan(store: ImageStore, image: ImageRow): PushPlan {
  const config = store.images.bytes(image.id)
  if (config === undefined) throw new EngineError('not-found', `No such image: ${image.id}`)
  return { layers: store.layers.ofImage(image.id).map(layerBlob), others: [], config: { digest: image.id, size: config.length }, manifests: [], top: undefined, index: undefined }
}

/** A manifest of Docker's kind; of OCI's when a layer is compressed in a way that Docker's has no name for. */
export function manifestOf(config: { readonly digest: Digest; readonly size: number }, layers: readonly { readonly digest: Digest; readonly size: number; readonly mediaType: string }[]): Manifest {
  const isOci = layers.some(({ mediaType }) => mediaType !== mediaTypes.dockerLayer)
  const mediaType = isOci ? mediaTypes.ociManifest : mediaTypes.dockerManifest
  const document = {
    schemaVersion: 2 as const,
    mediaType,
    config: { mediaType: isOci ? mediaTypes.ociConfig : mediaTypes.dockerConfig, size: config.size, digest: config.digest },
    layers: layers.map(({ digest, size, mediaType: type }) => ({ mediaType: isOci ? ociType(type) : type, size, digest })),
  }
  // Indented as Docker does.
  const bytes = Buffer.from(JSON.stringify(document, undefined, '   '))
  const parsed = parseManifest(bytes, mediaType)
  if (parsed.kind !== 'manifest') throw new EngineError('internal', 'a manifest was made that is none')
  return parsed
}

function ociType(mediaType: string): string {
  return mediaType === mediaTypes.dockerLayer ? `${mediaTypes.ociLayer}+gzip` : mediaType
}
