import { createHash } from 'node:crypto'
import { EngineError } from '@engine/linux'
import { digestHex, digestOf, type Digest } from '../digest.ts'
import { endOfArchive, newEntry, padding, writeEntry } from '../layer/tar/writer.ts'
import { familiarName, familiarRepository, fullName, type Reference } from '../reference.ts'
import { mediaTypes } from '../registry/manifest.ts'
import { blobPath } from './files.ts'

/** A blob of an archive that is being written; its bytes are asked for when it is its turn. */
export interface ArchiveBlob {
  readonly digest: Digest
  /** bytes */
  readonly size: number
  readonly mediaType: string
  read(): AsyncIterable<Buffer> | Iterable<Buffer>
}

/** An image to be saved. */
export interface SavedImage {
  readonly id: Digest
  readonly config: Buffer
  readonly diffIds: readonly Digest[]
  /** Lowest first. */
  readonly layers: readonly ArchiveBlob[]
  /** The manifest that it came with; without one it gets a new one. */
  readonly manifest: { readonly bytes: Buffer; readonly mediaType: string } | undefined
  /** The index that named the manifest, with what else of it is here. */
  readonly index?: { readonly bytes: Buffer; readonly mediaType: string; readonly others: readonly ArchiveBlob[] } | undefined
  readonly names: readonly Reference[]
}

interface Planned extends SavedImage {
  readonly own: { readonly bytes: Buffer; readonly mediaType: string }
  /** What index.json names. */
  readonly top: { readonly bytes: Buffer; readonly mediaType: string }
}

/**
 * The archive of `docker save`, piece by piece: Docker's manifest.json and an OCI layout over the same blobs. The documents come first,
 * so that who reads it knows what is to come. The same images give the same bytes.
 * @throws EngineError internal, in the stream, when a blob is not what its digest says
 */
export async function* writeImageArchive(given: readonly SavedImage[]): AsyncGenerator<Buffer, void, undefined> {
  const images = given.map((image): Planned => {
    const own = image.manifest ?? newManifest(image)
    return { ...image, own, top: image.index ?? own }
  })
  yield* document('oci-layout', { imageLayoutVersion: '1.0.0' })
  yield* document('index.json', indexOf(images))
  yield* document('manifest.json', images.map(dockerItem))
  const repositories = repositoriesOf(images)
  if (Object.keys(repositories).length > 0) yield* document('repositories', repositories)
  for (const directory of ['blobs/', 'blobs/sha256/']) yield writeEntry(newEntry('directory', directory))
  const written = new Set<Digest>()
  for (const blob of images.flatMap(blobsOf)) {
    if (written.has(blob.digest)) continue
    written.add(blob.digest)
    yield* blobEntry(blob)
  }
  yield endOfArchive
}

function* document(path: string, content: unknown): Generator<Buffer, void, undefined> {
  const bytes = Buffer.from(`${JSON.stringify(content)}\n`)
  yield Buffer.concat([writeEntry(newEntry('file', path, { size: bytes.length })), bytes, padding(bytes.length)])
}

async function* blobEntry({ digest, size, read }: ArchiveBlob): AsyncGenerator<Buffer, void, undefined> {
  yield writeEntry(newEntry('file', blobPath(digest), { size }))
  const hash = createHash('sha256')
  let done = 0
  for await (const chunk of read()) {
    hash.update(chunk)
    done += chunk.length
    if (done > size) break
    yield chunk
  }
  if (done !== size || `sha256:${hash.digest('hex')}` !== digest) throw new EngineError('internal', `the content of ${digest} is not what its digest says`)
  yield padding(size)
}

function blobsOf({ id, config, layers, own, top, index }: Planned): ArchiveBlob[] {
  const small = (bytes: Buffer, mediaType: string): ArchiveBlob => ({ digest: digestOf(bytes), size: bytes.length, mediaType, read: () => [bytes] })
  const documents = new Set([top, own])
  return [...[...documents].map(({ bytes, mediaType }) => small(bytes, mediaType)), { ...small(config, mediaTypes.ociConfig), digest: id }, ...layers, ...(index?.others ?? [])]
}

function newManifest({ id, config, layers }: SavedImage): { readonly bytes: Buffer; readonly mediaType: string } {
  const mediaType = mediaTypes.ociManifest
  const bytes = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: mediaTypes.ociConfig, digest: id, size: config.length },
    layers: layers.map(({ mediaType: type, digest, size }) => ({ mediaType: type, digest, size })),
  }))
  return { bytes, mediaType }
}

function indexOf(images: readonly Planned[]): object {
  const manifests = images.flatMap(({ top, names }) => {
    const descriptor = { mediaType: top.mediaType, digest: digestOf(top.bytes), size: top.bytes.length }
    if (names.length === 0) return [descriptor]
    return names.map((name) => ({ ...descriptor, annotations: { 'io.containerd.image.name': fullName(name), 'org.opencontainers.image.ref.name': name.tag } }))
  })
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }
}

function dockerItem({ id, diffIds, layers, names }: Planned): object {
  return {
    Config: blobPath(id),
    RepoTags: names.length === 0 ? null : names.map(familiarName),
    Layers: layers.map(({ digest }) => blobPath(digest)),
    LayerSources: Object.fromEntries(layers.map(({ mediaType, size, digest }, at) => [diffIds[at], { mediaType, size, digest }])),
  }
}

/** Names by repository and tag, for readers from before manifest.json. */
function repositoriesOf(images: readonly Planned[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {}
  for (const { diffIds, names } of images) {
    const top = diffIds.at(-1)
    if (top === undefined) continue
    for (const name of names) (repositories[familiarRepository(name)] ??= {})[name.tag ?? 'latest'] = digestHex(top)
  }
  return repositories
}
