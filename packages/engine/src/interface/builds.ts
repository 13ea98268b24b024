import type { Readable } from 'node:stream'
import type { Credentials } from '@engine/image'
import type { Ulimit } from '../types/container-config.ts'
import type { Filters } from './filters.ts'

export interface BuildOptions {
  readonly tags: readonly string[]
  readonly dockerfile: string
  readonly remote?: string | undefined
  readonly buildArgs: Readonly<Record<string, string | null>>
  readonly labels: Readonly<Record<string, string>>
  readonly noCache: boolean
  readonly quiet: boolean
  readonly remove: boolean
  readonly forceRemove: boolean
  readonly target: string
  readonly platform: string
  readonly networkMode: string
  readonly extraHosts: readonly string[]
  /** Images or caches whose word is taken for steps in this build: `name`, or `type=registry,ref=name`. */
  readonly cacheFrom: readonly string[]
  /** Where to put what was made: `type=inline`, or `type=registry,ref=name,mode=min|max`. */
  readonly cacheTo?: readonly string[] | undefined
  readonly memory?: number | undefined
  readonly memorySwap?: number | undefined
  readonly cpuShares?: number | undefined
  readonly cpuPeriod?: number | undefined
  readonly cpuQuota?: number | undefined
  readonly cpusetCpus?: string | undefined
  readonly cpusetMems?: string | undefined
  /** The cgroup that those of steps are made in; empty is the engine's. */
  readonly cgroupParent?: string | undefined
  readonly ulimits?: readonly Ulimit[] | null | undefined
  /** One layer instead of those that were built. */
  readonly squash?: boolean | undefined
  readonly shmSize?: number | undefined
  /** Get images that FROM names though they are here. */
  readonly pull?: boolean | undefined
  /** By registry: a host, or Docker Hub's old address. */
  readonly credentials?: ReadonlyMap<string, Credentials> | undefined
  /** What `POST /build/inputs` answered. */
  readonly inputs?: string | undefined
  /** What `POST /build/contexts` answered: the request's tar has only what was asked for. */
  readonly context?: string | undefined
  readonly contexts?: Readonly<Record<string, string>> | undefined
  readonly entitlements?: readonly string[] | undefined
  readonly progress?: 'classic' | 'steps' | undefined
  readonly why?: boolean | undefined
  readonly expectCached?: boolean | undefined
  /** Check the Dockerfile and build nothing. */
  readonly check?: boolean | undefined
  /** Seconds since the epoch that no time of the image is later than. */
  readonly epoch?: number | undefined
  /** Build twice and compare. */
  readonly verify?: boolean | undefined
}

/** What a client sends for a build besides its context; see docs/builds.md. */
export interface BuildInputsBody {
  /** By id, base64. */
  readonly secrets: Readonly<Record<string, string>>
  /** Paths of SSH agents' sockets on the engine's host, by id. */
  readonly agents: Readonly<Record<string, string>>
}

/** A path, whether it is a file, directory or link, and a token that changes when it does. */
export type ContextEntry = readonly [path: string, kind: 'f' | 'd' | 'l', token: string]

/** The files of a build context, as a client has them. */
export interface ContextManifest {
  /** 64 hex digits that name the client's directory. */
  readonly key: string
  readonly entries: readonly ContextEntry[]
}

export interface Builds {
  /** Says which entries of a context a client is to send; what it does not name is removed from the copy that is here. */
  prepareContext(manifest: ContextManifest): Promise<{ readonly Id: string; readonly Need: number[] }>
  /** Takes secrets and agents for a build that is about to be asked for; they are forgotten when it ends, or when it does not come. */
  addInputs(inputs: BuildInputsBody): Promise<{ readonly Id: string }>
  /** Takes the files of a named context, as a tar. @throws EngineError not-found */
  addDirectory(id: string, name: string, tar: Readable, signal: AbortSignal): Promise<void>
  /** The files of an image, as a tar of its root. */
  files(image: string): Promise<{ readonly tar: AsyncIterable<Buffer> } & AsyncDisposable>
  /** What the build cache has, as `GET /system/df` shows it. */
  cache(): Promise<BuildCacheRecord[]>
  prune(options: BuildPruneOptions): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }>
}

export interface BuildPruneOptions {
  /** Also what tagged images were made from. */
  readonly all: boolean
  readonly filters: Filters
  /** Bytes that stay in any case, the last used ones; 0 is none. */
  readonly reservedSpace?: number | undefined
  /** Bytes that may stay; 0 is no bound. With neither this nor the others everything goes. */
  readonly maxUsedSpace?: number | undefined
  /** Bytes that are to be free on the file system afterwards; 0 is no matter. */
  readonly minFreeSpace?: number | undefined
}

/** One entry of the build cache, in the API's words. */
export interface BuildCacheRecord {
  ID: string
  Parents?: string[]
  Type: 'regular' | 'exec.cachemount' | 'source.local'
  Description: string
  InUse: boolean
  Shared: boolean
  Size: number
  CreatedAt: string
  LastUsedAt: string
  UsageCount: number
}
