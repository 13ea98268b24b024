/** What a client may leave out, or send as null, of a Docker object. */
export type Given<T> = { readonly [K in keyof T]?: T[K] | null | undefined }

type Strings = readonly string[]
type StringMap = Readonly<Record<string, string>>
/** Go's `map[string]struct{}`, Docker's way to write a set. */
export type StringSet = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** `Test[0]` is NONE, CMD or CMD-SHELL (empty inherits); times in nanoseconds. */
export interface HealthConfig {
  readonly Test?: Strings | null | undefined
  readonly Interval?: number | null | undefined
  readonly Timeout?: number | null | undefined
  readonly StartPeriod?: number | null | undefined
  readonly StartInterval?: number | null | undefined
  readonly Retries?: number | null | undefined
}

/**
 * `Config` as containers/{id}/json answers it: fields without `?` are always there, null where Docker says null.
 * Source: v1.51.yaml ContainerConfig, and Docker 28.5's answers.
 */
export interface ContainerConfigView {
  Hostname: string
  Domainname: string
  User: string
  AttachStdin: boolean
  AttachStdout: boolean
  AttachStderr: boolean
  ExposedPorts?: StringSet
  Tty: boolean
  OpenStdin: boolean
  StdinOnce: boolean
  Env: Strings | null
  Cmd: Strings | null
  Healthcheck?: HealthConfig
  ArgsEscaped?: boolean
  Image: string
  Volumes: StringSet | null
  WorkingDir: string
  Entrypoint: Strings | null
  NetworkDisabled?: boolean
  MacAddress?: string
  OnBuild: Strings | null
  Labels: StringMap
  StopSignal?: string
  /** Seconds; -1 waits for ever. */
  StopTimeout?: number
  Shell?: Strings
}

/** `Config` as containers/create takes it. */
export type ContainerConfig = Given<ContainerConfigView>

export interface DeviceMapping {
  readonly PathOnHost?: string | null | undefined
  readonly PathInContainer?: string | null | undefined
  readonly CgroupPermissions?: string | null | undefined
}

export interface DeviceRequest {
  readonly Driver?: string | null | undefined
  readonly Count?: number | null | undefined
  readonly DeviceIDs?: Strings | null | undefined
  readonly Capabilities?: readonly Strings[] | null | undefined
  readonly Options?: StringMap | null | undefined
}

export interface ThrottleDevice {
  readonly Path?: string | null | undefined
  /** Bytes or operations per second. */
  readonly Rate?: number | null | undefined
}

export interface WeightDevice {
  readonly Path?: string | null | undefined
  readonly Weight?: number | null | undefined
}

export interface Ulimit {
  readonly Name?: string | null | undefined
  readonly Hard?: number | null | undefined
  readonly Soft?: number | null | undefined
}

export interface PortBinding {
  readonly HostIp?: string | null | undefined
  readonly HostPort?: string | null | undefined
}

/** `80/tcp` → where it is published. */
export type PortMap = Readonly<Record<string, readonly PortBinding[] | null>>

/** One of `HostConfig.Mounts` (`--mount`). */
export interface Mount {
  readonly Type?: string | null | undefined
  readonly Source?: string | null | undefined
  readonly Target?: string | null | undefined
  readonly ReadOnly?: boolean | null | undefined
  readonly Consistency?: string | null | undefined
  readonly BindOptions?: {
    readonly Propagation?: string | null | undefined
    readonly NonRecursive?: boolean | null | undefined
    readonly CreateMountpoint?: boolean | null | undefined
    readonly ReadOnlyNonRecursive?: boolean | null | undefined
    readonly ReadOnlyForceRecursive?: boolean | null | undefined
  } | null | undefined
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean | null | undefined
    readonly Labels?: StringMap | null | undefined
    readonly DriverConfig?: { readonly Name?: string | null | undefined; readonly Options?: StringMap | null | undefined } | null | undefined
    readonly Subpath?: string | null | undefined
  } | null | undefined
  readonly ImageOptions?: { readonly Subpath?: string | null | undefined } | null | undefined
  readonly TmpfsOptions?: {
    /** Bytes. */
    readonly SizeBytes?: number | null | undefined
    /** Permission bits as a number, 0o755. */
    readonly Mode?: number | null | undefined
    readonly Options?: readonly Strings[] | null | undefined
  } | null | undefined
}

export interface RestartPolicy {
  /** '', no, always, unless-stopped or on-failure. */
  readonly Name?: string | null | undefined
  readonly MaximumRetryCount?: number | null | undefined
}

export interface LogConfig {
  readonly Type?: string | null | undefined
  readonly Config?: StringMap | null | undefined
}

/**
 * `HostConfig` as containers/{id}/json answers it: fields without `?` are always there, null where nothing was given.
 * Sizes in bytes, CPU times in microseconds. Source: v1.51.yaml HostConfig, and Docker 28.5's answers.
 */
export interface HostConfigView {
  Binds: Strings | null
  ContainerIDFile: string
  LogConfig: { readonly Type: string; readonly Config: StringMap }
  NetworkMode: string
  PortBindings: PortMap | null
  RestartPolicy: { readonly Name: string; readonly MaximumRetryCount: number }
  AutoRemove: boolean
  VolumeDriver: string
  VolumesFrom: Strings | null
  ConsoleSize: readonly [number, number]
  Annotations?: StringMap
  CapAdd: Strings | null
  CapDrop: Strings | null
  CgroupnsMode: string
  Dns: Strings | null
  DnsOptions: Strings | null
  DnsSearch: Strings | null
  ExtraHosts: Strings | null
  GroupAdd: Strings | null
  IpcMode: string
  Cgroup: string
  Links: Strings | null
  OomScoreAdj: number
  PidMode: string
  Privileged: boolean
  PublishAllPorts: boolean
  ReadonlyRootfs: boolean
  SecurityOpt: Strings | null
  StorageOpt?: StringMap
  Tmpfs?: StringMap
  UTSMode: string
  UsernsMode: string
  ShmSize: number
  Sysctls?: StringMap
  Runtime: string
  Isolation: string
  CpuShares: number
  Memory: number
  NanoCpus: number
  CgroupParent: string
  BlkioWeight: number
  BlkioWeightDevice: readonly WeightDevice[] | null
  BlkioDeviceReadBps: readonly ThrottleDevice[] | null
  BlkioDeviceWriteBps: readonly ThrottleDevice[] | null
  BlkioDeviceReadIOps: readonly ThrottleDevice[] | null
  BlkioDeviceWriteIOps: readonly ThrottleDevice[] | null
  CpuPeriod: number
  CpuQuota: number
  CpuRealtimePeriod: number
  CpuRealtimeRuntime: number
  CpusetCpus: string
  CpusetMems: string
  Devices: readonly DeviceMapping[] | null
  DeviceCgroupRules: Strings | null
  DeviceRequests: readonly DeviceRequest[] | null
  /** What clients before 1.42 asked for: no kernel has it any more. */
  KernelMemory?: number
  KernelMemoryTCP?: number
  MemoryReservation: number
  MemorySwap: number
  MemorySwappiness: number | null
  OomKillDisable: boolean | null
  PidsLimit: number | null
  Ulimits: readonly Ulimit[] | null
  CpuCount: number
  CpuPercent: number
  IOMaximumIOps: number
  IOMaximumBandwidth: number
  Mounts?: readonly Mount[]
  MaskedPaths: Strings | null
  ReadonlyPaths: Strings | null
  Init?: boolean
}

/** The fields of HostConfig that a running container's update may name and has an effect for (moby: Container.UpdateContainer). */
export type ResourceField =
  | 'BlkioWeight' | 'CpuShares' | 'NanoCpus' | 'CpuPeriod' | 'CpuQuota' | 'CpusetCpus' | 'CpusetMems' | 'CpuRealtimePeriod' | 'CpuRealtimeRuntime'
  | 'Memory' | 'MemorySwap' | 'MemoryReservation' | 'PidsLimit'

/** `HostConfig` as containers/create takes it. */
export type HostConfig = Omit<Given<HostConfigView>, 'LogConfig' | 'RestartPolicy'> & {
  readonly LogConfig?: LogConfig | null | undefined
  readonly RestartPolicy?: RestartPolicy | null | undefined
}

export interface EndpointIpamConfig {
  readonly IPv4Address?: string | null | undefined
  readonly IPv6Address?: string | null | undefined
  readonly LinkLocalIPs?: Strings | null | undefined
}

/** An endpoint as it is answered: one container on one network. */
export interface EndpointSettingsView {
  IPAMConfig: EndpointIpamConfig | null
  Links: Strings | null
  Aliases: Strings | null
  MacAddress: string
  DriverOpts: StringMap | null
  GwPriority: number
  NetworkID: string
  EndpointID: string
  Gateway: string
  IPAddress: string
  IPPrefixLen: number
  IPv6Gateway: string
  GlobalIPv6Address: string
  GlobalIPv6PrefixLen: number
  DNSNames: Strings | null
}

/** An endpoint as `NetworkingConfig.EndpointsConfig` takes it. */
export type EndpointSettings = Given<EndpointSettingsView>
