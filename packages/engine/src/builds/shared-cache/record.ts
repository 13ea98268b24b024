import { isDigest, type Digest, type ImageConfig } from '@engine/image'
import { z } from 'zod'

/** The field of an image's configuration, and of a cache's, that says which steps made its layers. */
export const recordField = 'engine.build.cache'

/** Type of a configuration that is no image's: of a manifest that is a cache and nothing else. */
export const cacheConfigType = 'application/vnd.engine.build.cache.config.v1+json'

/** Steps that one cache tells of. */
const maxSteps = 10_000

const step = z.tuple([z.string().regex(/^[0-9a-f]{64}$/), z.string().refine((text): text is Digest => isDigest(text)).nullable()])

const record = z.object({ version: z.literal(1), steps: z.array(step).max(maxSteps) })

/** What a step's key led to where it was made: the digest of its layer's tar; null when it changed no file. */
export type RecordedStep = z.infer<typeof step>

/** What is claimed of steps, with the layers that come along, in the manifest's order. */
export interface CacheRecord {
  readonly steps: ReadonlyMap<string, Digest | null>
  readonly diffIds: readonly Digest[]
}

const holder = z.looseObject({
  rootfs: z.looseObject({ diff_ids: z.array(z.string().refine((text): text is Digest => isDigest(text))) }),
  [recordField]: record.optional(),
})

/** Reads what a configuration tells of steps; undefined when it tells nothing, or nothing that can be read. */
export function readRecord(config: unknown): CacheRecord | undefined {
  const parsed = holder.safeParse(config)
  const found = parsed.data?.[recordField]
  return found === undefined ? undefined : { steps: new Map(found.steps), diffIds: parsed.data?.rootfs.diff_ids ?? [] }
}

/** The same configuration, with what made its layers. */
export function withRecord(config: ImageConfig, steps: readonly RecordedStep[]): ImageConfig {
  return { ...config, [recordField]: { version: 1, steps } }
}
