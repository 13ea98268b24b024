import type { BudgetView } from '../budgets.ts'
import type { BuildCacheRecord, VolumeView } from '../interface.ts'
import type { ContainerSummary } from './container-views.ts'
import type { ImageSummary } from './image-views.ts'

/** networks/{id}. */
export interface NetworkView {
  Name: string
  Id: string
  Created: string
  Scope: 'local'
  Driver: string
  EnableIPv4: boolean
  EnableIPv6: boolean
  IPAM: {
    Driver: string
    Options: Record<string, string> | null
    Config: { Subnet: string; IPRange?: string; Gateway?: string; AuxiliaryAddresses?: Record<string, string> }[] | null
  }
  Internal: boolean
  Attachable: boolean
  Ingress: boolean
  ConfigFrom: { Network: string }
  ConfigOnly: boolean
  Containers: Record<string, { Name: string; EndpointID: string; MacAddress: string; IPv4Address: string; IPv6Address: string }>
  Options: Record<string, string>
  Labels: Record<string, string>
}

/** GET /version. */
export interface SystemVersion {
  Platform: { Name: string }
  Components: { Name: string; Version: string; Details: Record<string, string> }[]
  Version: string
  ApiVersion: string
  MinAPIVersion: string
  GitCommit: string
  GoVersion: string
  Os: string
  Arch: string
  KernelVersion: string
  Experimental?: boolean
  BuildTime?: string
}

/** GET /info. */
export interface SystemInfo {
  ID: string
  Containers: number
  ContainersRunning: number
  ContainersPaused: number
  ContainersStopped: number
  Images: number
  Driver: string
  DriverStatus: [string, string][]
  Plugins: { Volume: string[]; Network: string[]; Authorization: string[] | null; Log: string[] }
  MemoryLimit: boolean
  SwapLimit: boolean
  KernelMemoryTCP?: boolean
  CpuCfsPeriod: boolean
  CpuCfsQuota: boolean
  CPUShares: boolean
  CPUSet: boolean
  PidsLimit: boolean
  IPv4Forwarding: boolean
  Debug: boolean
  NFd: number
  OomKillDisable: boolean
  NGoroutines: number
  SystemTime: string
  LoggingDriver: string
  CgroupDriver: string
  CgroupVersion: '1' | '2'
  NEventsListener: number
  KernelVersion: string
  OperatingSystem: string
  OSVersion: string
  OSType: 'linux'
  Architecture: string
  IndexServerAddress: string
  RegistryConfig: {
    IndexConfigs: Record<string, { Mirrors: string[]; Name: string; Official: boolean; Secure: boolean }>
    InsecureRegistryCIDRs: string[]
    Mirrors: string[] | null
  }
  NCPU: number
  MemTotal: number
  GenericResources: null
  DockerRootDir: string
  HttpProxy: string
  HttpsProxy: string
  NoProxy: string
  Name: string
  Labels: readonly string[]
  ExperimentalBuild: boolean
  ServerVersion: string
  Runtimes: Record<string, { path: string; runtimeArgs?: string[]; status?: Record<string, string> }>
  DefaultRuntime: string
  Swarm: { NodeID: string; NodeAddr: string; LocalNodeState: 'inactive'; ControlAvailable: boolean; Error: string; RemoteManagers: null }
  LiveRestoreEnabled: boolean
  Isolation: string
  InitBinary: string
  ContainerdCommit: { ID: string }
  RuncCommit: { ID: string }
  InitCommit: { ID: string }
  SecurityOptions: string[]
  DefaultAddressPools?: { Base: string; Size: number }[]
  FirewallBackend: { Driver: string; Info?: [string, string][] }
  CDISpecDirs: string[]
  Warnings: string[] | null
}

/** GET /system/df; a list that was not asked for is null. */
export interface DiskUsage {
  /** Bytes of images' layers on the disk. */
  LayersSize: number
  Images: ImageSummary[] | null
  Containers: ContainerSummary[] | null
  Volumes: (VolumeView & { UsageData: { Size: number; RefCount: number } })[] | null
  BuildCache: BuildCacheRecord[] | null
  /** Only with limits in the configuration; engine's own. */
  Budgets?: { Images?: BudgetView; BuildCache?: BudgetView }
}
