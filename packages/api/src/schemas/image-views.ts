import * as z from 'zod'
import { HealthConfig } from './container-config.ts'
import { GraphDriver } from './container-views.ts'

const nullableTexts = z.array(z.string()).nullable()
const map = z.record(z.string(), z.string())
const set = z.record(z.string(), z.object({}))

const Platform = z.object({ architecture: z.string(), os: z.string(), variant: z.string().optional() })
const Descriptor = z.object({ mediaType: z.string(), digest: z.string(), size: z.number(), annotations: map.optional(), platform: Platform.optional(), artifactType: z.string().optional() })

/** One manifest that an image came with: its own, another platform's, an attestation. */
export const ImageManifestSummary = z.object({
  ID: z.string(),
  Descriptor,
  Available: z.boolean(),
  Size: z.object({ Content: z.number(), Total: z.number() }),
  Kind: z.enum(['image', 'attestation', 'unknown']),
  ImageData: z.object({ Platform, Containers: z.array(z.string()), Size: z.object({ Unpacked: z.number() }) }).optional(),
  AttestationData: z.object({ For: z.string() }).optional(),
})

/** GET /images/{name}/json */
export const ImageInspectResponse = z.object({
  Id: z.string(),
  RepoTags: z.array(z.string()),
  RepoDigests: z.array(z.string()),
  Parent: z.string(),
  Comment: z.string(),
  Created: z.string().optional(),
  DockerVersion: z.string(),
  Author: z.string(),
  Config: z
    .object({
      Cmd: nullableTexts,
      Entrypoint: nullableTexts,
      Env: nullableTexts,
      Labels: map.nullable(),
      OnBuild: nullableTexts,
      User: z.string(),
      Volumes: set.nullable(),
      WorkingDir: z.string(),
      ExposedPorts: set.optional(),
      Healthcheck: HealthConfig.optional(),
      ArgsEscaped: z.boolean().optional(),
      StopSignal: z.string().optional(),
      Shell: z.array(z.string()).optional(),
    })
    .nullable(),
  Architecture: z.string(),
  Variant: z.string().optional(),
  Os: z.string(),
  OsVersion: z.string().optional(),
  Size: z.number(),
  GraphDriver,
  RootFS: z.object({ Type: z.string(), Layers: z.array(z.string()).optional() }),
  Metadata: z.object({ LastTagTime: z.string() }),
  Descriptor: Descriptor.optional(),
  Manifests: z.array(ImageManifestSummary).optional(),
})

/** One of GET /images/json */
export const ImageSummary = z.object({
  Id: z.string(),
  ParentId: z.string(),
  RepoTags: z.array(z.string()),
  RepoDigests: z.array(z.string()).nullable(),
  Created: z.number(),
  Size: z.number(),
  SharedSize: z.number(),
  Labels: map.nullable(),
  Containers: z.number(),
  Descriptor: Descriptor.optional(),
  Manifests: z.array(ImageManifestSummary).optional(),
})

/** One of GET /images/{name}/history, newest first. */
export const ImageHistoryResponseItem = z.object({
  Id: z.string(),
  Created: z.number(),
  CreatedBy: z.string(),
  Tags: nullableTexts,
  Size: z.number(),
  Comment: z.string(),
})

/** One of the answers to DELETE /images/{name}. */
export const ImageDeleteResponseItem = z.object({ Untagged: z.string().optional(), Deleted: z.string().optional() })

/** POST /build/prune */
export const BuildPruneResponse = z.object({ CachesDeleted: z.array(z.string()).nullable(), SpaceReclaimed: z.number() })

/** POST /images/prune */
export const ImagePruneResponse = z.object({ ImagesDeleted: z.array(ImageDeleteResponseItem).nullable(), SpaceReclaimed: z.number() })

/** One line of a pull's, an import's or a build's progress. */
export const ProgressLine = z.object({
  stream: z.string().optional(),
  status: z.string().optional(),
  id: z.string().optional(),
  progress: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
  aux: z.looseObject({}).optional(),
  error: z.string().optional(),
  errorDetail: z.object({ code: z.number().optional(), message: z.string() }).optional(),
})

export type ImageInspectResponse = z.infer<typeof ImageInspectResponse>
export type ImageSummary = z.infer<typeof ImageSummary>
export type ImageHistoryResponseItem = z.infer<typeof ImageHistoryResponseItem>
export type ImageDeleteResponseItem = z.infer<typeof ImageDeleteResponseItem>
export type ImagePruneResponse = z.infer<typeof ImagePruneResponse>
export type ProgressLine = z.infer<typeof ProgressLine>
