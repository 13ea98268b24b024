import { isAttachment, parseManifest, referenceOf, type Digest, type IndexEntry, type Manifest } from '@engine/image'
import type { ImageContent } from '../state/image-contents-table.ts'
import type { ImageRow } from '../state/images-table.ts'
import type { DescriptorView, ImageManifestSummary } from '../types/image-views.ts'
import type { ImageStore } from './image-store.ts'

/** What an image's tag named at the registry, an index or the manifest itself; undefined for one that was made here. */
export function imageDescriptor(store: ImageStore, image: Digest): DescriptorView | undefined {
  const top = topOf(store, image, store.contents.ofImage(image))
  return top === undefined ? undefined : { mediaType: top.mediaType, digest: top.digest, size: top.size }
}

/**
 * What an image came as from a registry or an archive, in the shape of Docker's containerd image store (moby
 * daemon/containerd/image_list.go, multiPlatformSummary): what is here first, then what its index names besides.
 * @param containers ids of those made from it
 * @returns none for one that was made here: it gets its manifest when it is pushed
 */
export async function imageManifests(store: ImageStore, image: Pick<ImageRow, 'id' | 'config'>, containers: readonly string[]): Promise<ImageManifestSummary[]> {
  const contents = store.contents.ofImage(image.id)
  const top = topOf(store, image.id, contents)
  if (top === undefined) return []
  const document = parseManifest(await store.content.read(top.digest), top.mediaType)
  const entries = document.kind === 'index' ? document.manifests : [{ mediaType: top.mediaType, digest: top.digest, size: top.size }]
  const views = await Promise.all(entries.map((entry) => summary(store, image, contents, containers, entry)))
  return [...views.filter(({ Available }) => Available), ...views.filter(({ Available }) => !Available)]
}

/** Of several (pulled under several names) the one that a name has, an index before a manifest. */
function topOf(store: ImageStore, image: Digest, contents: readonly ImageContent[]): ImageContent | undefined {
  const names = store.images.names(image)
  const tops = contents.filter(({ role }) => role === 'index').concat(contents.filter(({ role }) => role === 'manifest'))
  return tops.find(({ digest }) => names.some((name) => name.endsWith(`@${digest}`))) ?? tops[0]
}

async function summary(store: ImageStore, image: Pick<ImageRow, 'id' | 'config'>, contents: readonly ImageContent[], containers: readonly string[], entry: IndexEntry): Promise<ImageManifestSummary> {
  const role = contents.find(({ digest }) => digest === entry.digest)?.role
  const manifest = role === undefined ? undefined : parseManifest(await store.content.read(entry.digest), entry.mediaType)
  const content = manifest?.kind === 'manifest' ? await contentSize(store, manifest) : 0
  const unpacked = role === 'manifest' ? store.layers.ofImage(image.id).reduce((sum, { size }) => sum + size, 0) : 0
  const { type, about } = referenceOf(entry)
  const { os, architecture, variant } = image.config
  const common = { ID: entry.digest, Descriptor: descriptorView(entry), Available: role !== undefined, Size: { Content: content, Total: content + unpacked } }
  if (isAttachment(entry)) return type === 'attestation-manifest' && about !== undefined ? { ...common, Kind: 'attestation', AttestationData: { For: about } } : { ...common, Kind: 'unknown' }
  return {
    ...common,
    Kind: 'image',
    ImageData: {
      Platform: entry.platform ?? { architecture, os: os || 'linux', ...(variant === undefined ? {} : { variant }) },
      Containers: role === 'manifest' ? [...containers] : [],
      Size: { Unpacked: unpacked },
    },
  }
}

/** Bytes of a manifest and of what is here of that which it names. */
async function contentSize(store: ImageStore, { bytes, config, layers }: Manifest): Promise<number> {
  const sizes = await Promise.all([config, ...layers].map(({ digest }) => store.content.size(digest)))
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), bytes.length)
}

/** As Go writes a descriptor: without what it does not have. */
function descriptorView({ mediaType, digest, size, annotations, platform, artifactType }: IndexEntry): DescriptorView {
  return {
    mediaType, digest, size,
    ...(annotations ? { annotations } : {}),
    ...(platform ? { platform } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
  }
}
