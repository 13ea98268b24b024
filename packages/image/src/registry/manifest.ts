import { EngineError } from '@engine/linux'
import { z } from 'zod'
import { digestOf, isDigest, type Digest } from '../digest.ts'

export const mediaTypes = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
} as const

/** What a pull says that it can read. */
export const acceptedManifests: string = [mediaTypes.ociIndex, mediaTypes.dockerIndex, mediaTypes.ociManifest, mediaTypes.dockerManifest].join(', ')

/** Most bytes of a manifest, as registries have it too (distribution: maxManifestBodySize). */
export const maxManifestBytes = 4 << 20

const digest = z.string().refine((text): text is Digest => isDigest(text), 'invalid checksum digest format')
const annotations = z.record(z.string(), z.string()).nullish()

const platform = z.looseObject({
  architecture: z.string().default(''),
  os: z.string().default(''),
  variant: z.string().optional(),
  'os.version': z.string().optional(),
})

const descriptor = z.looseObject({
  mediaType: z.string().default(''),
  digest,
  size: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  annotations,
  artifactType: z.string().optional(),
})

const manifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  config: descriptor,
  layers: z.array(descriptor).nullish().transform((layers) => layers ?? []),
  annotations,
})

const entry = descriptor.extend({ platform: platform.nullish() })

const index = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  manifests: z.array(entry).nullish().transform((manifests) => manifests ?? []),
  annotations,
})

/** What names content: its type, digest and size. */
export type Descriptor = z.infer<typeof descriptor>
/** One image of an index, or something that belongs to one. */
export type IndexEntry = z.infer<typeof entry>

interface Document {
  readonly mediaType: string
  readonly digest: Digest
  /** As it came: its digest is that of these bytes. */
  readonly bytes: Buffer
}

export type Manifest = Document & { readonly kind: 'manifest'; readonly config: Descriptor; readonly layers: readonly Descriptor[]; readonly artifactType?: string | undefined }
export type Index = Document & { readonly kind: 'index'; readonly manifests: readonly IndexEntry[] }

const manifestTypes: ReadonlySet<string> = new Set([mediaTypes.dockerManifest, mediaTypes.ociManifest])
const indexTypes: ReadonlySet<string> = new Set([mediaTypes.dockerIndex, mediaTypes.ociIndex])

/** Whether a descriptor's type is that of a manifest or index. */
export function isManifestType(mediaType: string): boolean {
  return manifestTypes.has(mediaType) || indexTypes.has(mediaType)
}

/**
 * Reads a manifest or an index, whichever its type says.
 * @param mediaType of the answer or of the descriptor; what is no manifest's type is taken from the document
 * @throws EngineError invalid-argument for what is neither, or both at once (CVE-2021-41190), or another than it was said to be
 */
export function parseManifest(bytes: Buffer, mediaType: string): Manifest | Index {
  if (bytes.length > maxManifestBytes) throw wrong(`larger than ${maxManifestBytes} bytes`)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw wrong('not valid JSON', cause)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong('not a JSON object')
  if ('schemaVersion' in json && json.schemaVersion === 1) throw schemaOne()
  const told = 'mediaType' in json && typeof json.mediaType === 'string' ? json.mediaType : ''
  const given = isManifestType(mediaType) ? mediaType : told !== '' ? told : 'manifests' in json ? mediaTypes.ociIndex : mediaTypes.ociManifest
  if (!isManifestType(given)) throw new EngineError('invalid-argument', `unsupported manifest format: ${JSON.stringify(given.slice(0, 200))}`)
  if (told !== '' && told !== given) throw wrong(`mediaType in manifest should be '${given}' not '${told.slice(0, 200)}'`)
  const document = { mediaType: given, digest: digestOf(bytes), bytes }
  if (indexTypes.has(given)) {
    for (const key of ['config', 'layers', 'fsLayers'] as const) if (key in json) throw wrong(`an index that has ${key} as a manifest has`)
    return { kind: 'index', ...document, manifests: checked(index, json).manifests }
  }
  for (const key of ['manifests', 'fsLayers'] as const) if (key in json) throw wrong(`a manifest that has ${key} as an index has`)
  const { config, layers, artifactType } = checked(manifest, json)
  return { kind: 'manifest', ...document, config, layers, artifactType }
}

function checked<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw wrong(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, parsed.error)
}

function wrong(why: string, cause?: unknown): EngineError {
  return new EngineError('invalid-argument', `invalid manifest: ${why}`, { cause })
}

function schemaOne(): EngineError {
  return new EngineError(
    'invalid-argument',
    'Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. Suggest the author to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2. More information at https://docs.docker.com/go/deprecated-image-specs/',
  )
}
