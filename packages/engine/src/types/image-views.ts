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

/** An OCI descriptor. */
export interface DescriptorView {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
  readonly platform?: { readonly architecture: string; readonly os: string; readonly variant?: string | undefined }
  readonly artifactType?: string
}

/** One manifest of an image: itself, another platform's, an attestation. */
export interface ImageManifestSummary {
  readonly ID: string
  readonly Descriptor: DescriptorView
  /** Whether it is here with all that belongs to it. */
  readonly Available: boolean
  /** Bytes: of blobs, and with the unpacked files. */
  readonly Size: { readonly Content: number; readonly Total: number }
  readonly Kind: 'image' | 'attestation' | 'unknown'
  readonly ImageData?: {
    readonly Platform: { readonly architecture: string; readonly os: string; readonly variant?: string | undefined }
    readonly Containers: readonly string[]
    readonly Size: { readonly Unpacked: number }
  }
  readonly AttestationData?: { readonly For: string }
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
  /** What it came as; absent for one that was made here. */
  Descriptor?: DescriptorView
  /** When it was asked for. */
  Manifests?: ImageManifestSummary[]
}

/** One of images/json. */
export interface ImageSummary {
  Id: string
  ParentId: string
  RepoTags: string[]
  RepoDigests: string[] | null
  /** Seconds since the epoch. */
  Created: number
  Size: number
  /** -1 when it was not asked for. */
  SharedSize: number
  Labels: Readonly<Record<string, string>> | null
  /** Containers that use it. */
  Containers: number
  Descriptor?: DescriptorView
  Manifests?: ImageManifestSummary[]
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
