import * as z from 'zod'
import { command, flag, goTypes, integer, text, textMap, texts, textSet, wholeNumber } from './go-json.ts'

/** `Config.Healthcheck`: times in nanoseconds. */
export const HealthConfig = z.object({
  Test: texts,
  Interval: integer,
  Timeout: integer,
  StartPeriod: integer,
  StartInterval: integer,
  Retries: integer,
})

/** What a container is, apart from its host (v1.51.yaml ContainerConfig). */
export const ContainerConfig = z.object({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: textSet,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: texts,
  Cmd: command,
  Healthcheck: HealthConfig.nullish(),
  ArgsEscaped: flag,
  Image: text,
  Volumes: textSet,
  WorkingDir: text,
  Entrypoint: command,
  NetworkDisabled: flag,
  MacAddress: text,
  OnBuild: texts,
  Labels: textMap,
  StopSignal: text,
  StopTimeout: integer,
  Shell: texts,
})

const ThrottleDevice = z.object({ Path: text, Rate: integer })

const throttle = z.array(ThrottleDevice).nullish()

/** v1.51.yaml Resources, which HostConfig and containers/{id}/update share. */
export const resources = {
  CpuShares: integer,
  Memory: integer,
  NanoCpus: integer,
  CgroupParent: text,
  BlkioWeight: integer,
  BlkioWeightDevice: z.array(z.object({ Path: text, Weight: integer })).nullish(),
  BlkioDeviceReadBps: throttle,
  BlkioDeviceWriteBps: throttle,
  BlkioDeviceReadIOps: throttle,
  BlkioDeviceWriteIOps: throttle,
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: z.array(z.object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text }).register(goTypes, { type: 'container.DeviceMapping' })).nullish(),
  DeviceCgroupRules: texts,
  DeviceRequests: z
    .array(z.object({ Driver: text, Count: integer, DeviceIDs: texts, Capabilities: z.array(z.array(z.string())).nullish(), Options: textMap }))
    .nullish(),
  KernelMemory: integer,
  KernelMemoryTCP: integer,
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: integer,
  OomKillDisable: flag,
  PidsLimit: integer,
  Ulimits: z.array(z.object({ Name: text, Hard: integer, Soft: integer })).nullish(),
  CpuCount: integer,
  CpuPercent: integer,
  IOMaximumIOps: integer,
  IOMaximumBandwidth: integer,
}

/** One of `HostConfig.Mounts`. */
export const Mount = z.object({
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: text,
  BindOptions: z
    .object({ Propagation: text, NonRecursive: flag, CreateMountpoint: flag, ReadOnlyNonRecursive: flag, ReadOnlyForceRecursive: flag })
    .nullish(),
  VolumeOptions: z
    .object({ NoCopy: flag, Labels: textMap, DriverConfig: z.object({ Name: text, Options: textMap }).nullish(), Subpath: text })
    .nullish(),
  ImageOptions: z.object({ Subpath: text }).nullish(),
  TmpfsOptions: z.object({ SizeBytes: integer, Mode: integer, Options: z.array(z.array(z.string())).nullish() }).nullish(),
}).register(goTypes, { type: 'mount.Mount' })

export const RestartPolicy = z.object({ Name: text, MaximumRetryCount: integer })

const PortMap = z.record(z.string(), z.array(z.object({ HostIp: text, HostPort: text })).nullable())

/** How a container sits on its host (v1.51.yaml HostConfig). */
export const HostConfig = z.object({
  ...resources,
  Binds: texts,
  ContainerIDFile: text,
  LogConfig: z.object({ Type: text, Config: textMap }).nullish(),
  NetworkMode: text,
  PortBindings: PortMap.nullish(),
  RestartPolicy: RestartPolicy.nullish(),
  AutoRemove: flag,
  VolumeDriver: text,
  VolumesFrom: texts,
  ConsoleSize: z.tuple([wholeNumber, wholeNumber]).nullish(),
  Annotations: textMap,
  CapAdd: command,
  CapDrop: command,
  CgroupnsMode: text,
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  GroupAdd: texts,
  IpcMode: text,
  Cgroup: text,
  Links: texts,
  OomScoreAdj: integer,
  PidMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: texts,
  StorageOpt: textMap,
  Tmpfs: textMap,
  UTSMode: text,
  UsernsMode: text,
  ShmSize: integer,
  Sysctls: textMap,
  Runtime: text,
  Isolation: text,
  Mounts: z.array(Mount).nullish(),
  MaskedPaths: texts,
  ReadonlyPaths: texts,
  Init: flag,
})

/** One endpoint, as containers/create and networks/connect take it; what only answers carry is accepted and ignored, as Docker does. */
export const EndpointSettings = z.object({
  IPAMConfig: z.object({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts }).nullish(),
  Links: texts,
  Aliases: texts,
  MacAddress: text,
  DriverOpts: textMap,
  GwPriority: integer,
  NetworkID: text,
  EndpointID: text,
  Gateway: text,
  IPAddress: text,
  IPPrefixLen: integer,
  IPv6Gateway: text,
  GlobalIPv6Address: text,
  GlobalIPv6PrefixLen: integer,
  DNSNames: texts,
})

export type ContainerConfig = z.infer<typeof ContainerConfig>
export type HostConfig = z.infer<typeof HostConfig>
export type EndpointSettings = z.infer<typeof EndpointSettings>
