import {
  attachmentsOf, beyondLimit, chainIds, getBlob, getManifest, mediaTypes, parseImageConfig, selectManifest, maxConfigBytes,
  type Descriptor, type Digest, type Image, type Index, type IndexEntry, type Manifest, type Platform, type RegistryClient, type TarLimits,
} from '@engine/image'
import { EngineError } from '@engine/linux'
import type { ImageStore } from './image-store.ts'

/** What a reference turned out to mean. */
export interface PullPlan {
  /** What the tag names: an index, or the manifest itself. */
  readonly top: Manifest | Index
  readonly manifest: Manifest
  /** What else of the index belongs to the image. */
  readonly attachments: readonly IndexEntry[]
  readonly image: Image
  /** Lowest first; one for each of the manifest's layers. */
  readonly chain: readonly Digest[]
}

const configTypes: ReadonlySet<string> = new Set(['', 'application/octet-stream', mediaTypes.dockerConfig, mediaTypes.ociConfig])
const layerType = /^application\/vnd\.(?:docker\.image\.rootfs\.(?:foreign\.)?diff\.tar|oci\.image\.layer\.(?:nondistributable\.)?v1\.tar)(?:[.+](?:gzip|zstd))?$/
/** overlayfs takes 500 directories, and Docker 127 layers. */
const maxLayers = 500

/**
 * Finds out what an image consists of, from its manifest or index on.
 * @param store  knows images that need not be asked for
 * @param limits what an image may be like
 * @throws EngineError in Docker's words: no such platform, an artifact that is no image, parts that contradict each other
 */
export async function planPull(client: RegistryClient, store: ImageStore, top: Manifest | Index, platform: Platform | undefined, limits: TarLimits, signal: AbortSignal): Promise<PullPlan> {
  const entry = top.kind === 'index' ? selectManifest(top, platform) : undefined
  const manifest = top.kind === 'manifest' ? top : await manifestOf(client, entry as IndexEntry, signal)
  refuseArtifact(manifest)
  refuseTooLarge(manifest, limits)
  const image = await imageOf(client, store, manifest.config, signal)
  const { os, rootfs } = image.config
  if (os !== '' && os !== 'linux') throw new EngineError('invalid-argument', `image operating system ${JSON.stringify(os)} cannot be used on this platform`)
  if (rootfs.diff_ids.length !== manifest.layers.length) throw mismatch()
  return { top, manifest, image, chain: chainIds(rootfs.diff_ids), attachments: top.kind === 'index' && entry !== undefined ? attachmentsOf(top, entry) : [] }
}

async function manifestOf(client: RegistryClient, entry: IndexEntry, signal: AbortSignal): Promise<Manifest> {
  const found = await getManifest(client, entry.digest, entry, signal)
  if (found.kind === 'index') throw new EngineError('invalid-argument', `invalid manifest: ${entry.digest} is an index within an index`)
  return found
}

function refuseArtifact({ config, layers }: Manifest): void {
  if (!configTypes.has(config.mediaType)) {
    const kind = config.mediaType === 'application/vnd.docker.plugin.v1+json' ? 'plugin' : 'unknown'
    throw new EngineError('invalid-argument', `Encountered remote ${JSON.stringify(config.mediaType.slice(0, 200))}(${kind}) when fetching`, { hint: 'it is no image of a container' })
  }
  if (layers.length > maxLayers) throw new EngineError('invalid-argument', 'max depth exceeded')
  const strange = layers.find(({ mediaType }) => mediaType !== '' && !layerType.test(mediaType))
  if (strange !== undefined) throw new EngineError('invalid-argument', `unsupported media type of a layer: ${JSON.stringify(strange.mediaType.slice(0, 200))}`)
}

/** Said before anything is fetched. */
function refuseTooLarge({ layers }: Manifest, { contentBytes }: TarLimits): void {
  const size = layers.reduce((sum, layer) => sum + layer.size, 0)
  if (size > contentBytes) throw beyondLimit('total-size', `the layers of the image are larger than ${contentBytes} bytes`)
}

async function imageOf(client: RegistryClient, store: ImageStore, config: Descriptor, signal: AbortSignal): Promise<Image> {
  const known = store.images.bytes(config.digest)
  return parseImageConfig(known ?? (await getBlob(client, config, maxConfigBytes, signal)))
}

/** The image's parts are not of one image. */
export function mismatch(): EngineError {
  return new EngineError('invalid-argument', "layers from manifest don't match image configuration")
}
