import type { HealthConfig, StringSet } from './container-config.ts'
import type { GraphDriverView } from './container-views.ts'

/** `Config` of an image: Docker answers the first eight always, the others when they are set. */
export interface ImageConfigView {
  Cmd: readonly string[] | null
  Entrypoint: readonly string[] | null
  Env: readonly string[] | null
  Labels: Readonly<Record<string, string>> | null
  OnBuild: readonly string[] | null
  User: string
  Volumes: StringSet | null
  WorkingDir: string
  ExposedPorts?: StringSet
  Healthcheck?: HealthConfig
  ArgsEscaped?: boolean
  StopSignal?: string
  Shell?: readonly string[]
}

/** images/{name}/json. */
export interface ImageInspect {
  /** `sha256:…` of the config. */
  Id: string
  RepoTags: string[]
  RepoDigests: string[]
  Parent: string
  Comment: string
  /** RFC 3339; absent when the config has none. */
  Created?: string
  DockerVersion: string
  Author: string
  Config: ImageConfigView | null
  Architecture: string
  Variant?: string
  Os: string
  OsVersion?: string
  /** Bytes. */
  Size: number
  GraphDriver: GraphDriverView
  RootFS: { Type: string; Layers?: string[] }
  Metadata: { LastTagTime: string }
}

/** One of images/json. */
export interface ImageSummary {
  Id: string
  ParentId: string
  RepoTags: string[]
  RepoDigests: string[]
  /** Seconds since the epoch. */
  Created: number
  Size: number
  /** -1 when it was not asked for. */
  SharedSize: number
  Labels: Readonly<Record<string, string>> | null
  /** Containers that use it. */
  Containers: number
}

/** One of images/{name}/history, newest first. */
export interface ImageHistoryItem {
  Id: string
  Created: number
  CreatedBy: string
  Tags: string[] | null
  Size: number
  Comment: string
}

/** One of the answers to DELETE images/{name}. */
export interface ImageDelete {
  Untagged?: string
  Deleted?: string
}

/** GET /distribution/{name}/json */
export interface DistributionInspect {
  readonly Descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number }
  readonly Platforms: readonly { readonly architecture: string; readonly os: string; readonly variant?: string | undefined }[]
}
