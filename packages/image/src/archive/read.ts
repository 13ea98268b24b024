import { EngineError } from '@engine/linux'
import { z } from 'zod'
import type { Digest } from '../digest.ts'
import { parseImageConfig, type Image } from '../image-config.ts'
import type { Platform } from '../platform.ts'
import { parseReference, type Reference } from '../reference.ts'
import { mediaTypes, parseManifest, type Index, type IndexEntry, type Manifest } from '../registry/manifest.ts'
import { attachmentsOf, isAttachment, selectManifest } from '../registry/select-platform.ts'
import { ArchiveFiles } from './files.ts'
import type { Unpacked, UnpackedFile } from './unpack.ts'

/** An image of an archive, checked as far as that goes without unpacking its layers. */
export interface ArchivedImage {
  readonly image: Image
  /** Lowest first, as many as the configuration names. */
  readonly layers: readonly UnpackedFile[]
  /** The names that it is to have. */
  readonly names: readonly Reference[]
  /** The manifest that it came with, when its layers are compressed as a registry's are: it is pushed as that again. */
  readonly manifest: Manifest | undefined
  /** The index that named the manifest, with what else of it belongs to the image and is here: attestations. */
  readonly index: { readonly document: Index; readonly attachments: readonly AttachedFile[] } | undefined
}

/** A manifest of an attestation, or a blob of one. */
export interface AttachedFile {
  readonly mediaType: string
  readonly blob: UnpackedFile
}

/** What an image came with, as far as an archive says it. */
type Origin = Pick<ArchivedImage, 'manifest' | 'index'>

/** manifest.json of `docker save`: paths in the archive. */
const dockerManifest = z.array(
  z.looseObject({
    Config: z.string(),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string()).nullish(),
  }),
)

/**
 * Reads what an image archive says of its images: `docker save` of all ages, `skopeo copy docker-archive:`, `podman save`, and OCI
 * layouts. Where it is both, manifest.json says what there is, as with Docker.
 * @param wanted only images of that platform; undefined takes an archive's one platform, and this machine's of several
 * @throws EngineError invalid-argument for what is damaged or no image archive
 */
export function readImageArchive(unpacked: Unpacked, wanted: Platform | undefined): ArchivedImage[] {
  const files = new ArchiveFiles(unpacked)
  const manifest = files.find('manifest.json')
  const index = files.find('index.json')
  if (manifest !== undefined) return readDocker(files, manifest, index)
  if (index !== undefined && files.find('oci-layout') !== undefined) return readLayout(files, index, wanted)
  throw new EngineError('invalid-argument', 'the archive is no image: it has neither manifest.json nor index.json', { hint: 'a root file system is taken in by `import`' })
}

function readDocker(files: ArchiveFiles, document: UnpackedFile, index: UnpackedFile | undefined): ArchivedImage[] {
  const items = dockerManifest.safeParse(parseJson(files, document))
  if (!items.success) throw new EngineError('invalid-argument', `invalid manifest.json in the image archive: ${items.error.issues[0]?.path.join('.') ?? ''}: ${items.error.issues[0]?.message ?? ''}`)
  const origins = index === undefined ? new Map<Digest, Origin>() : originsByConfig(files, index)
  return items.data.map((item) => {
    const image = parseImageConfig(files.read(files.get(item.Config)))
    const layers = (item.Layers ?? []).map((path) => files.get(path))
    return checked({ image, layers, names: (item.RepoTags ?? []).map(tagged), ...keptOrigin(origins.get(image.id), layers) })
  })
}

/** What a layout has by its images' configurations: what `docker save` writes beside manifest.json. What is not whole is left out. */
function originsByConfig(files: ArchiveFiles, document: UnpackedFile): Map<Digest, Origin> {
  const found = new Map<Digest, Origin>()
  const add = (entry: IndexEntry, within?: Index): void => {
    const blob = files.findBlob(entry.digest)
    if (blob === undefined || (within !== undefined && isAttachment(entry))) return
    const parsed = parseManifest(files.read(blob), entry.mediaType)
    if (parsed.kind === 'manifest') found.set(parsed.config.digest, { manifest: parsed, index: within === undefined ? undefined : attachedTo(files, within, entry) })
    else if (within === undefined) for (const inner of parsed.manifests) add(inner, parsed)
  }
  for (const entry of readIndex(files, document).manifests) add(entry)
  return found
}

/** What of an index belongs to an image and is in the archive, whole. */
function attachedTo(files: ArchiveFiles, document: Index, image: IndexEntry): Origin['index'] {
  const attachments = attachmentsOf(document, image).flatMap((entry): AttachedFile[] => {
    const blob = files.findBlob(entry.digest)
    const parsed = blob === undefined ? undefined : parseManifest(files.read(blob), entry.mediaType)
    if (blob === undefined || parsed?.kind !== 'manifest') return []
    const parts = [parsed.config, ...parsed.layers].map(({ digest, mediaType }) => ({ mediaType, blob: files.findBlob(digest) }))
    return parts.every((part): part is AttachedFile => part.blob !== undefined) ? [{ mediaType: parsed.mediaType, blob }, ...parts] : []
  })
  return { document, attachments }
}

function readLayout(files: ArchiveFiles, document: UnpackedFile, wanted: Platform | undefined): ArchivedImage[] {
  const top = readIndex(files, document)
  const byName = Map.groupBy(top.manifests.filter((entry) => !isAttachment(entry)), nameOf)
  return [...byName].map(([name, entries]) => {
    // Several under one name are one image for several platforms.
    const [first] = entries
    const entry = entries.length === 1 && first !== undefined ? first : selectManifest({ ...top, manifests: entries }, wanted)
    return readEntry(files, entry, name === undefined ? [] : [parseReference(name)], wanted)
  })
}

function readEntry(files: ArchiveFiles, entry: IndexEntry, names: readonly Reference[], wanted: Platform | undefined): ArchivedImage {
  const parsed = blobManifest(files, entry)
  const chosen = parsed.kind === 'manifest' ? entry : selectManifest(parsed, wanted)
  const manifest = parsed.kind === 'manifest' ? parsed : blobManifest(files, chosen)
  if (manifest.kind !== 'manifest') throw new EngineError('invalid-argument', 'an index in the image archive names an index where an image is due')
  const image = parseImageConfig(files.read(blobOf(files, manifest.config.digest)))
  const layers = manifest.layers.map(({ digest }) => blobOf(files, digest))
  const index = parsed.kind === 'index' ? attachedTo(files, parsed, chosen) : undefined
  return checked({ image, layers, names, ...keptOrigin({ manifest, index }, layers) })
}

function blobManifest(files: ArchiveFiles, { digest, mediaType }: IndexEntry): Manifest | Index {
  return parseManifest(files.read(blobOf(files, digest)), mediaType)
}

function blobOf(files: ArchiveFiles, digest: Digest): UnpackedFile {
  const found = files.findBlob(digest)
  if (found === undefined) throw new EngineError('invalid-argument', `the image archive lacks ${digest}`)
  return found
}

/** A manifest is kept when it is what would be pushed: its layers are these, and compressed. What names it is kept with it. */
function keptOrigin(origin: Origin | undefined, layers: readonly UnpackedFile[]): Origin {
  const { manifest, index } = origin ?? {}
  if (manifest === undefined || manifest.layers.length !== layers.length || layers.length === 0) return { manifest: undefined, index: undefined }
  const isSame = manifest.layers.every(({ digest, size, mediaType }, at) => digest === layers[at]?.digest && size === layers[at].size && /gzip$|zstd$/.test(mediaType))
  return isSame ? { manifest, index } : { manifest: undefined, index: undefined }
}

function checked(archived: ArchivedImage): ArchivedImage {
  const { config } = archived.image
  const { length: expected } = config.rootfs.diff_ids
  if (archived.layers.length !== expected) throw new EngineError('invalid-argument', `invalid manifest, layers length mismatch: expected ${expected}, got ${archived.layers.length}`)
  if (config.os !== '' && config.os !== 'linux') throw new EngineError('invalid-argument', `cannot load ${config.os} image on linux`)
  return archived
}

function tagged(name: string): Reference {
  const reference = parseReference(name)
  if (reference.tag === undefined || reference.digest !== undefined) throw new EngineError('invalid-argument', `invalid tag ${JSON.stringify(name)}`)
  return reference
}

/** The name that an entry of a layout is for. A bare word (skopeo's `oci-archive:file:word`) is only a tag of nothing. */
function nameOf({ annotations }: IndexEntry): string | undefined {
  const full = annotations?.['io.containerd.image.name']
  if (full !== undefined) return full
  const word = annotations?.['org.opencontainers.image.ref.name']
  return word !== undefined && /[:/]/.test(word) ? word : undefined
}

function readIndex(files: ArchiveFiles, document: UnpackedFile): Index {
  const index = parseManifest(files.read(document), mediaTypes.ociIndex)
  if (index.kind !== 'index') throw new EngineError('invalid-argument', 'index.json of the image archive is no index')
  return index
}

function parseJson(files: ArchiveFiles, document: UnpackedFile): unknown {
  try {
    return JSON.parse(files.read(document).toString('utf8'))
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    throw new EngineError('invalid-argument', `${document.path} of the image archive is not valid JSON`, { cause })
  }
}
