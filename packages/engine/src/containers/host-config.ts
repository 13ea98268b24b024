import { EngineError } from '@engine/linux'
import { normalizeCapabilities } from '@engine/runtime'
import type { HostConfig, HostConfigView } from '../types/container-config.ts'
import { builtInRuntime } from './runtimes.ts'

/** What the engine's configuration says where a client said nothing. */
export interface HostDefaults {
  readonly shmSize: number
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  /** The log driver of containers that name none, and its options; json-file without it. */
  readonly log?: LogConfigView | undefined
  /** The runtime of containers that name none; engine's own without it. */
  readonly runtime?: string
  /** Whether there is a runtime of that name; only engine's own without it. */
  readonly runtimes?: (name: string) => boolean
}

type LogConfigView = HostConfigView['LogConfig']

/**
 * A client's HostConfig with every field filled in as Docker fills it (moby adaptContainerSettings), not yet checked.
 * @throws EngineError invalid-argument for names that mean nothing: capabilities, runtimes
 */
export function completeHostConfig(given: HostConfig, defaults: HostDefaults): HostConfigView {
  const privileged = given.Privileged ?? false
  const memory = given.Memory ?? 0
  return {
    Binds: given.Binds ?? null,
    ContainerIDFile: given.ContainerIDFile ?? '',
    LogConfig: logConfig(given.LogConfig, defaults.log),
    NetworkMode: !given.NetworkMode || given.NetworkMode === 'default' ? 'bridge' : given.NetworkMode,
    PortBindings: portMap(given.PortBindings ?? null),
    RestartPolicy: { Name: given.RestartPolicy?.Name || 'no', MaximumRetryCount: given.RestartPolicy?.MaximumRetryCount ?? 0 },
    AutoRemove: given.AutoRemove ?? false,
    VolumeDriver: given.VolumeDriver ?? '',
    VolumesFrom: given.VolumesFrom ?? null,
    ConsoleSize: given.ConsoleSize ?? [0, 0],
    ...(notEmpty(given.Annotations) ? { Annotations: given.Annotations } : {}),
    CapAdd: given.CapAdd ? normalizeCapabilities('CapAdd', given.CapAdd) : null,
    CapDrop: given.CapDrop ? normalizeCapabilities('CapDrop', given.CapDrop) : null,
    CgroupnsMode: given.CgroupnsMode || 'private',
    Dns: given.Dns ?? null,
    DnsOptions: given.DnsOptions ?? null,
    DnsSearch: given.DnsSearch ?? null,
    ExtraHosts: given.ExtraHosts ?? null,
    GroupAdd: given.GroupAdd ?? null,
    IpcMode: given.IpcMode || 'private',
    Cgroup: given.Cgroup ?? '',
    Links: given.Links ?? null,
    OomScoreAdj: given.OomScoreAdj ?? 0,
    PidMode: given.PidMode ?? '',
    Privileged: privileged,
    PublishAllPorts: given.PublishAllPorts ?? false,
    ReadonlyRootfs: given.ReadonlyRootfs ?? false,
    SecurityOpt: securityOptions(given, privileged),
    ...(notEmpty(given.StorageOpt) ? { StorageOpt: given.StorageOpt } : {}),
    ...(notEmpty(given.Tmpfs) ? { Tmpfs: given.Tmpfs } : {}),
    UTSMode: given.UTSMode ?? '',
    UsernsMode: given.UsernsMode ?? '',
    ShmSize: given.ShmSize || defaults.shmSize,
    ...(notEmpty(given.Sysctls) ? { Sysctls: given.Sysctls } : {}),
    Runtime: runtime(given.Runtime ?? '', defaults),
    Isolation: given.Isolation ?? '',
    CpuShares: given.CpuShares ?? 0,
    Memory: memory,
    NanoCpus: given.NanoCpus ?? 0,
    CgroupParent: given.CgroupParent ?? '',
    BlkioWeight: given.BlkioWeight ?? 0,
    BlkioWeightDevice: given.BlkioWeightDevice?.map(({ Path, Weight }) => ({ Path: Path ?? '', Weight: Weight ?? 0 })) ?? null,
    BlkioDeviceReadBps: throttles(given.BlkioDeviceReadBps),
    BlkioDeviceWriteBps: throttles(given.BlkioDeviceWriteBps),
    BlkioDeviceReadIOps: throttles(given.BlkioDeviceReadIOps),
    BlkioDeviceWriteIOps: throttles(given.BlkioDeviceWriteIOps),
    CpuPeriod: given.CpuPeriod ?? 0,
    CpuQuota: given.CpuQuota ?? 0,
    CpuRealtimePeriod: given.CpuRealtimePeriod ?? 0,
    CpuRealtimeRuntime: given.CpuRealtimeRuntime ?? 0,
    CpusetCpus: given.CpusetCpus ?? '',
    CpusetMems: given.CpusetMems ?? '',
    Devices:
      given.Devices?.map(({ PathOnHost, PathInContainer, CgroupPermissions }) => ({
        PathOnHost: PathOnHost ?? '', PathInContainer: PathInContainer ?? '', CgroupPermissions: CgroupPermissions ?? '',
      })) ?? null,
    DeviceCgroupRules: given.DeviceCgroupRules ?? null,
    DeviceRequests:
      given.DeviceRequests?.map(({ Driver, Count, DeviceIDs, Capabilities, Options }) => ({
        Driver: Driver ?? '', Count: Count ?? 0, DeviceIDs: DeviceIDs ?? null, Capabilities: Capabilities ?? null, Options: Options ?? null,
      })) ?? null,
    ...(given.KernelMemory ? { KernelMemory: given.KernelMemory } : {}),
    ...(given.KernelMemoryTCP ? { KernelMemoryTCP: given.KernelMemoryTCP } : {}),
    MemoryReservation: given.MemoryReservation ?? 0,
    // Swap as much as memory, when only memory was limited.
    MemorySwap: memory > 0 && !given.MemorySwap ? memory * 2 : (given.MemorySwap ?? 0),
    MemorySwappiness: given.MemorySwappiness === -1 ? null : (given.MemorySwappiness ?? null),
    OomKillDisable: given.OomKillDisable ?? false,
    PidsLimit: given.PidsLimit ?? null,
    Ulimits: given.Ulimits?.map(({ Name, Hard, Soft }) => ({ Name: Name ?? '', Hard: Hard ?? 0, Soft: Soft ?? 0 })) ?? null,
    CpuCount: given.CpuCount ?? 0,
    CpuPercent: given.CpuPercent ?? 0,
    IOMaximumIOps: given.IOMaximumIOps ?? 0,
    IOMaximumBandwidth: given.IOMaximumBandwidth ?? 0,
    ...(given.Mounts !== null && given.Mounts !== undefined && given.Mounts.length > 0 ? { Mounts: given.Mounts } : {}),
    MaskedPaths: privileged ? null : (given.MaskedPaths ?? defaults.maskedPaths),
    ReadonlyPaths: privileged ? null : (given.ReadonlyPaths ?? defaults.readonlyPaths),
    ...(typeof given.Init === 'boolean' ? { Init: given.Init } : {}),
  }
}

/** Go shows every field of a structure, given or not. */
function throttles(devices: HostConfig['BlkioDeviceReadBps']): HostConfigView['BlkioDeviceReadBps'] {
  return devices?.map(({ Path, Rate }) => ({ Path: Path ?? '', Rate: Rate ?? 0 })) ?? null
}

function portMap(ports: HostConfigView['PortBindings']): HostConfigView['PortBindings'] {
  if (ports === null) return null
  return Object.fromEntries(Object.entries(ports).map(([port, bindings]) => [port, bindings?.map(({ HostIp, HostPort }) => ({ HostIp: HostIp ?? '', HostPort: HostPort ?? '' })) ?? null]))
}

function notEmpty<T extends object>(map: T | null | undefined): map is T {
  return map !== null && map !== undefined && Object.keys(map).length > 0
}

/** Containers that share the host's privileges, pids or ipc are not labelled, and Docker says so in SecurityOpt. */
function securityOptions(given: HostConfig, privileged: boolean): readonly string[] | null {
  const unlabelled = privileged || given.PidMode === 'host' || given.IpcMode === 'host'
  const options = given.SecurityOpt ?? null
  if (!unlabelled || options?.some((option) => option.startsWith('label')) === true) return options
  return [...(options ?? []), 'label=disable']
}

function runtime(name: string, { runtimes, runtime: otherwise = builtInRuntime }: HostDefaults): string {
  if (name === '') return otherwise
  if (runtimes?.(name) ?? name === builtInRuntime) return name
  throw new EngineError('invalid-argument', `unknown or invalid runtime name: ${name}`)
}

/** The configuration's options count for its own driver only. */
function logConfig(given: HostConfig['LogConfig'], log: LogConfigView = { Type: 'json-file', Config: {} }): LogConfigView {
  const Type = given?.Type || log.Type
  return { Type, Config: { ...(Type === log.Type ? log.Config : {}), ...given?.Config } }
}
