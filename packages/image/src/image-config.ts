import { EngineError } from '@engine/linux'
import { z } from 'zod'
import { digestOf, isDigest, type Digest } from './digest.ts'

const digest = z.string().refine((text): text is Digest => isDigest(text), 'not a sha256 digest')
const strings = z.array(z.string()).nullish()
const set = z.record(z.string(), z.looseObject({})).nullish()

const healthcheck = z.looseObject({
  Test: strings,
  /** Nanoseconds, as the four below. */
  Interval: z.number().optional(),
  Timeout: z.number().optional(),
  StartPeriod: z.number().optional(),
  StartInterval: z.number().optional(),
  Retries: z.number().optional(),
})

const runConfig = z.looseObject({
  User: z.string().optional(),
  ExposedPorts: set,
  Env: strings,
  Entrypoint: strings,
  Cmd: strings,
  Volumes: set,
  WorkingDir: z.string().optional(),
  Labels: z.record(z.string(), z.string()).nullish(),
  StopSignal: z.string().optional(),
  StopTimeout: z.number().optional(),
  Shell: strings,
  OnBuild: strings,
  ArgsEscaped: z.boolean().optional(),
  Healthcheck: healthcheck.nullish(),
})

const historyEntry = z.looseObject({
  created: z.string().nullish(),
  created_by: z.string().optional(),
  author: z.string().optional(),
  comment: z.string().optional(),
  empty_layer: z.boolean().optional(),
})

const imageConfig = z.looseObject({
  created: z.string().nullish(),
  author: z.string().optional(),
  architecture: z.string().default(''),
  variant: z.string().optional(),
  os: z.string().default(''),
  'os.version': z.string().optional(),
  'os.features': z.array(z.string()).nullish(),
  config: runConfig.nullish(),
  rootfs: z.looseObject({ type: z.literal('layers'), diff_ids: z.array(digest).nullish().transform((ids) => ids ?? []) }),
  history: z.array(historyEntry).nullish(),
  comment: z.string().optional(),
  docker_version: z.string().optional(),
  container: z.string().optional(),
  container_config: z.looseObject({}).nullish(),
})

/** What containers of an image begin with; Docker's names (OCI image-spec config.md). */
export type RunConfig = z.infer<typeof runConfig>
/** One line of an image's history; `empty_layer` steps made no layer. */
export type HistoryEntry = z.infer<typeof historyEntry>
/** An image's configuration, OCI's and Docker's fields. Fields that are not known are kept. */
export type ImageConfig = z.infer<typeof imageConfig>

/** An image: its configuration, and the exact bytes of it whose digest is the image's ID. */
export interface Image {
  readonly id: Digest
  readonly config: ImageConfig
  readonly bytes: Buffer
}

/** Largest configuration that is read, 4 MiB as registries allow. */
export const maxConfigBytes = 4 << 20

/**
 * Reads an image's configuration.
 * @throws EngineError invalid-argument when it is no JSON, lacks what every image has, or is also a manifest (CVE-2021-41190)
 */
export function parseImageConfig(bytes: Buffer): Image {
  if (bytes.length > maxConfigBytes) throw new EngineError('invalid-argument', `image configuration is larger than ${maxConfigBytes} bytes`)
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new EngineError('invalid-argument', 'image configuration is not valid JSON', { cause })
  }
  const parsed = imageConfig.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new EngineError('invalid-argument', `invalid image configuration: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, { cause: parsed.error })
  }
  if ('layers' in parsed.data || 'manifests' in parsed.data) {
    throw new EngineError('invalid-argument', 'invalid image configuration: it is also a manifest')
  }
  return { id: digestOf(bytes), config: parsed.data, bytes }
}

/** Writes an image's configuration: fields in alphabetical order as Docker writes them, so that the same configuration has the same ID. */
export function writeImageConfig(config: ImageConfig): Image {
  const sorted = Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)))
  const bytes = Buffer.from(JSON.stringify(sorted))
  return { id: digestOf(bytes), config, bytes }
}
