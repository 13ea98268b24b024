import type { Readable, Writable } from 'node:stream'
import type { Credentials, RegistryOptions, SearchResult, TarLimits } from '@engine/image'
import type { ContainerConfig, EndpointSettings, HostConfig, ResourceField, Ulimit } from './types/container-config.ts'
import type { ContainerStats } from './types/container-stats.ts'
import type { ContainerInspect, ContainerSummary, ContainerTop, ExecInspect, WaitResult } from './types/container-views.ts'
import type { DistributionInspect, ImageDelete, ImageHistoryItem, ImageInspect, ImageSummary } from './types/image-views.ts'
import type { EngineEvent } from './types/event.ts'
import type { DiskUsage, NetworkView, SystemInfo, SystemVersion } from './types/system-views.ts'
import type { TraceView } from './types/trace-view.ts'
import type { LedgerEntry } from './types/ledger-entry.ts'

/**
 * What the daemon serves: the engine, verb by verb. Arguments are valid in form (the daemon's schemas saw them); what they
 * mean is checked here. Every failure is an EngineError with Docker's text. All shapes bear Docker's field names (API v1.51).
 */
export interface Engine {
  readonly containers: Containers
  readonly execs: Execs
  readonly images: Images
  readonly builds: Builds
  readonly networks: Networks
  readonly volumes: Volumes
  readonly system: System
  /** Runs `work` with the cause that the ledger stores with every kernel action made meanwhile. */
  causedBy<T>(cause: { readonly request: string; readonly id: string }, work: () => Promise<T>): Promise<T>
  /** Stops serving: leaves containers running, or stops them first as Docker does at a host's shutdown. */
  close(options: { readonly stopContainers: boolean }): Promise<void>
}

/** Parsed `filters`: values by key; the keys are checked by the verb ("invalid filter 'x'"). */
export type Filters = ReadonlyMap<string, readonly string[]>

export interface CreateContainer {
  /** 64 hex digits; for the engine's own containers, which an intent names before they are made. */
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly platform?: string | undefined
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  readonly endpoints: Readonly<Record<string, EndpointSettings>>
  /** Whether read-only binds leave the mounts below them writable. */
  readonly readOnlyNonRecursive?: boolean | undefined
  /** It is a build's: without the image's volumes, and with variables that are kept nowhere. */
  readonly buildStep?: { readonly secretEnvironment: readonly string[] } | undefined
}

/** What POST containers/{id}/update takes of a HostConfig: the resources and the restart policy. */
export type UpdateContainer = Pick<HostConfig, ResourceField | 'RestartPolicy'>

/** One chunk of a container's output. A terminal's output is all `stdout`. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Buffer
  /** To be called, if at all, when `data` is needed no more: its memory is then used again. Without it, it is garbage in its time. */
  readonly release?: (() => void) | undefined
}

/** How pieces of output are put one after the other into one buffer: the wire's affair, but done where they are read, without an object for each. */
export interface OutputFraming {
  /** Bytes that a piece's header takes, before it. */
  readonly headerBytes: 0 | 8
  writeHeader(into: Buffer, at: number, stream: OutputChunk['stream'], length: number): void
}

/** Bytes both ways between a client and a process. */
export interface Attachment {
  /** No frames on the wire: the process has a terminal. */
  readonly tty: boolean
  /** Ends when the process's output has ended or the client has detached. */
  readonly output: AsyncIterable<OutputChunk>
  /** Writes to the process's standard input; ending it closes that (per StdinOnce). Absent when stdin is not attached. */
  readonly stdin?: Writable
  /** Takes no more output; the process goes on. */
  detach(): void
}

export interface LogOptions {
  readonly stdout: boolean
  readonly stderr: boolean
  readonly follow: boolean
  readonly timestamps: boolean
  readonly details: boolean
  /** Nanoseconds since the epoch. */
  readonly since?: bigint | undefined
  readonly until?: bigint | undefined
  /** Lines from the end; undefined is all. */
  readonly tail?: number | undefined
}

/** What a container has at a path, as `docker cp` asks. */
export interface ArchiveStat {
  readonly name: string
  readonly size: number
  /** Bits of Go's FileMode. */
  readonly mode: number
  /** RFC 3339 */
  readonly mtime: string
  readonly linkTarget: string
}

/** One path of `docker diff`: 0 changed, 1 added, 2 deleted. */
export interface ContainerChange {
  readonly Path: string
  readonly Kind: 0 | 1 | 2
}

export interface Containers {
  list(options: { readonly all: boolean; readonly limit?: number | undefined; readonly size: boolean; readonly filters: Filters }): Promise<ContainerSummary[]>
  create(request: CreateContainer): Promise<{ Id: string; Warnings: string[] }>
  inspect(ref: string, options: { readonly size: boolean }): Promise<ContainerInspect>
  start(ref: string): Promise<void>
  /** @throws EngineError not-modified when it is not running */
  stop(ref: string, options: { readonly timeout?: number | undefined; readonly signal?: string | undefined }): Promise<void>
  restart(ref: string, options: { readonly timeout?: number | undefined; readonly signal?: string | undefined }): Promise<void>
  kill(ref: string, signal: string | undefined): Promise<void>
  pause(ref: string): Promise<void>
  unpause(ref: string): Promise<void>
  rename(ref: string, name: string): Promise<void>
  /** Resolves at once with a promise of the result, so that headers can be sent before the wait. */
  wait(ref: string, condition: 'not-running' | 'next-exit' | 'removed', signal: AbortSignal): Promise<{ readonly result: Promise<WaitResult> }>
  remove(ref: string, options: { readonly force: boolean; readonly volumes: boolean; readonly link: boolean }): Promise<void>
  /** Changes limits and restart policy, live where it runs. */
  update(ref: string, change: UpdateContainer): Promise<{ Warnings: string[] | null }>
  /** Samples of what a container uses: one, or one each second until the signal. */
  stats(ref: string, options: { readonly stream: boolean; readonly oneShot: boolean }, signal: AbortSignal): Promise<AsyncIterable<ContainerStats>>
  top(ref: string, psArgs: string): Promise<ContainerTop>
  /**
   * A container's log. Each of `batches` may be overwritten once the one after the next is asked for.
   * @param framing of entries, unless the container has a terminal
   */
  logs(ref: string, options: LogOptions, framing: OutputFraming, signal: AbortSignal): Promise<{ readonly tty: boolean; readonly batches: AsyncIterable<Buffer> }>
  attach(ref: string, options: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean; readonly stream: boolean; readonly logs: boolean; readonly detachKeys?: string | undefined }): Promise<Attachment>
  resize(ref: string, rows: number, columns: number): Promise<void>
  prune(filters: Filters): Promise<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }>
  statArchive(ref: string, path: string): Promise<ArchiveStat>
  readArchive(ref: string, path: string): Promise<{ readonly stat: ArchiveStat; readonly tar: Readable }>
  writeArchive(ref: string, path: string, tar: AsyncIterable<Buffer>, options: { readonly keepKinds: boolean; readonly ownedByUser: boolean }, signal: AbortSignal): Promise<void>
  /** The tar of a container's root without its volumes, running or not. */
  export(ref: string): Promise<Readable>
  changes(ref: string): Promise<ContainerChange[] | null>
  /** The ledger's entries of one container, oldest first; also of one that failed to start or is gone. */
  explain(ref: string): Promise<LedgerEntry[]>
}

export interface CreateExec {
  readonly Cmd: readonly string[]
  readonly AttachStdin: boolean
  readonly AttachStdout: boolean
  readonly AttachStderr: boolean
  readonly Tty: boolean
  readonly DetachKeys?: string | undefined
  readonly Env?: readonly string[] | undefined
  readonly User?: string | undefined
  readonly WorkingDir?: string | undefined
  readonly Privileged: boolean
  /** [height, width] */
  readonly ConsoleSize?: readonly [number, number] | undefined
}

export interface Execs {
  create(container: string, request: CreateExec): Promise<{ Id: string }>
  /** Resolves when the process has been executed; without `detach` with its streams. */
  start(id: string, options: { readonly detach: boolean; readonly tty: boolean; readonly consoleSize?: readonly [number, number] | undefined }): Promise<Attachment | undefined>
  inspect(id: string): Promise<ExecInspect>
  resize(id: string, rows: number, columns: number): Promise<void>
}

/** One line of a JSON progress stream: `{"stream": …}`, `{"status": …}`, `{"aux": …}`, `{"errorDetail": …, "error": …}`. */
export type Progress = Readonly<Record<string, unknown>>

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

export interface Images {
  /** @param options `manifests`: with what each image has on the disk; `onDisk`: sizes count the tars that layers came as */
  list(options: { readonly all: boolean; readonly filters: Filters; readonly sharedSize: boolean; readonly digests: boolean; readonly manifests?: boolean; readonly onDisk?: boolean }): Promise<ImageSummary[]>
  /** @param options `manifests`: with what it came as; `platform`: of that platform, or not found */
  inspect(ref: string, options?: { readonly manifests?: boolean; readonly platform?: string | undefined }): Promise<ImageInspect>
  history(ref: string, platform?: string): Promise<ImageHistoryItem[]>
  tag(ref: string, repository: string, tag: string): Promise<void>
  /** @param options.platform `os/architecture[/variant]` that it must have */
  remove(ref: string, options: { readonly force: boolean; readonly noPrune: boolean; readonly platform?: string | undefined }): Promise<ImageDelete[]>
  prune(filters: Filters): Promise<{ ImagesDeleted: ImageDelete[] | null; SpaceReclaimed: number }>
  /** The archive of images, `docker save`; they stay until it is disposed. @param refs a name without a tag means all its tags */
  save(refs: readonly string[], platform: string | undefined): Promise<{ readonly tar: AsyncIterable<Buffer> } & Disposable>
  /** Takes in what `docker save` writes, or an OCI layout, compressed or not. Yields progress; `quiet` only what was loaded. */
  load(tar: Readable, options: { readonly quiet: boolean; readonly platform?: string | undefined }, signal: AbortSignal): AsyncIterable<Progress>
  /** `docker import`: one layer from a tar (gzip, zstd, xz or plain). Yields progress; the last line's status is the image's id. */
  import(tar: Readable, options: { readonly repository: string; readonly tag: string; readonly message: string; readonly changes: readonly string[]; readonly platform?: string | undefined }): AsyncIterable<Progress>
  /** An image from a registry; with neither tag nor digest all tags of a repository. */
  pull(ref: string, options: { readonly platform?: string | undefined; readonly credentials?: Credentials | undefined }, signal: AbortSignal): AsyncIterable<Progress>
  /** Sends an image to a registry; with no tag all tags of a repository. */
  push(name: string, options: { readonly tag: string; readonly platform?: string | undefined; readonly credentials?: Credentials | undefined }, signal: AbortSignal): AsyncIterable<Progress>
  /** What a registry has under a name. */
  distribution(name: string, credentials: Credentials | undefined, signal: AbortSignal): Promise<DistributionInspect>
  search(term: string, options: { readonly limit: number | undefined; readonly filters: Filters; readonly credentials?: Credentials | undefined }, signal: AbortSignal): Promise<SearchResult[]>
  /** Asks a registry whether it takes credentials. */
  login(credentials: Credentials, signal: AbortSignal): Promise<{ Status: string; IdentityToken: string }>
  /** The classic builder's stream. The context is a tar (compressed or not). */
  build(context: Readable, options: BuildOptions, signal: AbortSignal): AsyncIterable<Progress>
  commit(container: string, options: { readonly repository: string; readonly tag: string; readonly comment: string; readonly author: string; readonly pause: boolean; readonly changes: readonly string[]; readonly config?: ContainerConfig | undefined }): Promise<{ Id: string }>
}

export interface Networks {
  /** @param options.containers whether each tells which containers are on it */
  list(filters: Filters, options?: { readonly containers: boolean }): Promise<NetworkView[]>
  /** @param options `scope`: '' for any */
  inspect(ref: string, options?: { readonly scope: string }): Promise<NetworkView>
  create(request: CreateNetwork): Promise<{ Id: string; Warning: string }>
  remove(ref: string): Promise<void>
  connect(ref: string, container: string, endpoint: EndpointSettings): Promise<void>
  disconnect(ref: string, container: string, force: boolean): Promise<void>
  prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }>
  /** The way of a packet, and what stops it. @param from container, `host` or `outside` @param to `container:port`, `address:port`, `host:port` */
  trace(from: string, to: string, protocol: 'tcp' | 'udp', family?: 'ipv4' | 'ipv6'): Promise<TraceView>
}

/** A network as a client wants it made: POST /networks/create. */
export interface CreateNetwork {
  readonly Name: string
  readonly Driver?: string | null | undefined
  readonly Scope?: string | null | undefined
  readonly Internal?: boolean | null | undefined
  readonly Attachable?: boolean | null | undefined
  readonly Ingress?: boolean | null | undefined
  readonly ConfigOnly?: boolean | null | undefined
  readonly ConfigFrom?: { readonly Network?: string | null | undefined } | null | undefined
  readonly IPAM?: {
    readonly Driver?: string | null | undefined
    readonly Options?: Readonly<Record<string, string>> | null | undefined
    readonly Config?: readonly {
      readonly Subnet?: string | null | undefined
      readonly IPRange?: string | null | undefined
      readonly Gateway?: string | null | undefined
      readonly AuxiliaryAddresses?: Readonly<Record<string, string>> | null | undefined
    }[] | null | undefined
  } | null | undefined
  readonly EnableIPv4?: boolean | null | undefined
  readonly EnableIPv6?: boolean | null | undefined
  readonly Options?: Readonly<Record<string, string>> | null | undefined
  readonly Labels?: Readonly<Record<string, string>> | null | undefined
}

export interface Volumes {
  list(filters: Filters): Promise<{ Volumes: VolumeView[]; Warnings: null }>
  inspect(name: string): Promise<VolumeView>
  create(options: { readonly Name: string; readonly Driver: string; readonly DriverOpts: Readonly<Record<string, string>>; readonly Labels: Readonly<Record<string, string>> }): Promise<VolumeView>
  remove(name: string, force: boolean): Promise<void>
  prune(filters: Filters): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }>
  /** All volumes with the bytes of their files, and how many containers have each. */
  usage(): Promise<(VolumeView & { UsageData: { Size: number; RefCount: number } })[]>
  rename(name: string, to: string): Promise<VolumeView>
  /** Makes a volume with the contents of another, whose users go on. */
  clone(name: string, to: string, labels: Readonly<Record<string, string>>): Promise<VolumeView>
  /** The tar of a volume's files. Destroying it ends the work. */
  read(name: string): Promise<Readable>
  /** Extracts a tar (compressed or not) into a volume. */
  write(name: string, tar: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void>
}

export interface VolumeView {
  Name: string
  Driver: string
  Mountpoint: string
  CreatedAt: string
  Labels: Record<string, string> | null
  Scope: 'local'
  Options: Record<string, string> | null
}

export interface System {
  version(): Promise<SystemVersion>
  info(): Promise<SystemInfo>
  /** What takes how much space. @param types `container`, `image`, `volume`, `build-cache`; none means all */
  diskUsage(types: readonly string[]): Promise<DiskUsage>
  /** Past events from `since`, then live ones until `until`, the signal, or for ever. */
  events(options: { readonly since?: bigint | undefined; readonly until?: bigint | undefined; readonly filters: Filters }, signal: AbortSignal): AsyncIterable<EngineEvent>
}

/** Everything of a daemon's own on the host, from its configuration: two daemons with different options share nothing. */
export interface EngineOptions {
  /** `/var/lib/engine` */
  readonly dataRoot: string
  /** `/run/engine` */
  readonly execRoot: string
  /** Name of the default bridge's link, at most 15 characters: `engine0`. */
  readonly bridge: string
  /** The bridge's address with prefix length, `172.17.0.1/16`; undefined takes the first free of the address pools. */
  readonly bip?: string | undefined
  readonly fixedCidr?: string | undefined
  /** The default network has IPv6 too. */
  readonly ipv6?: boolean | undefined
  /** The bridge's IPv6 address with prefix length, and the part of its subnet for containers; without `bip6` that is the subnet. */
  readonly bip6?: string | undefined
  readonly fixedCidrV6?: string | undefined
  /** The routers that containers of the default network are told of; left out, the bridge. */
  readonly defaultGateway?: string | undefined
  readonly defaultGatewayV6?: string | undefined
  /** What `host-gateway` stands for; none: the bridge's addresses. */
  readonly hostGatewayIPs?: readonly string[] | undefined
  /** Options of networks that are made without them, by driver. */
  readonly networkOptions?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined
  readonly addressPools: readonly { readonly base: string; readonly size: number }[]
  /** Where ports are published that name no address of the host's; left out: at all of them. */
  readonly publishAddress?: string | undefined
  readonly mtu: number
  readonly interContainer: boolean
  readonly masquerade: boolean
  /** Name of the nftables table that is ours alone. */
  readonly nftablesTable: string
  /** Parent of containers' cgroups, `/engine`. */
  readonly cgroupParent: string
  readonly dns: readonly string[]
  readonly dnsSearch: readonly string[]
  readonly dnsOptions: readonly string[]
  /** bytes */
  readonly defaultShmSize: number
  readonly defaultUlimits: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[]
  readonly labels: readonly string[]
  /** The log driver of containers that name none, and its options; json-file without it. */
  readonly logDefault?: { readonly Type: string; readonly Config: Readonly<Record<string, string>> } | undefined
  /** Bytes that images may take, and the build cache; without it as much as there is. */
  readonly imageMaxSize?: number | undefined
  readonly buildCacheMaxSize?: number | undefined
  /** What archives and layers of images may be like; package image's defaults without it. */
  readonly archiveLimits?: TarLimits | undefined
  /** How registries are dealt with; undefined is as Docker does by default. */
  readonly registries?: RegistryOptions | undefined
  /** Seconds a container has to stop at a host's shutdown. */
  readonly shutdownTimeout: number
  /** Other OCI runtimes, by the name that containers choose them by. */
  readonly runtimes?: Readonly<Record<string, { readonly path: string; readonly args: readonly string[] }>> | undefined
  /** The runtime of containers that name none; engine's own without it. */
  readonly defaultRuntime?: string | undefined
  /** Directories with spec files of the Container Device Interface; Docker's two without it. */
  readonly cdiSpecDirs?: readonly string[] | undefined
  /** Path of the program engine-shim (bundled) and of the Node binary that runs it. */
  readonly shimProgram: string
  readonly nodeBinary: string
  /** The shim is a service of systemd's: engined only connects, it does not start it. */
  readonly shimManaged: boolean
  /** Whether kernel actions are recorded; they are unless this is false. */
  readonly ledger?: boolean | undefined
  readonly debug: boolean
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', fields: Readonly<Record<string, unknown>>, message: string) => void
}
