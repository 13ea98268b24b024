import type { ContainerConfigView, EndpointSettingsView, HostConfigView, PortMap } from './container-config.ts'

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'

/** The zero time of Docker's answers. */
export const NEVER = '0001-01-01T00:00:00Z'

export interface HealthView {
  Status: 'none' | 'starting' | 'healthy' | 'unhealthy'
  FailingStreak: number
  Log: { Start: string; End: string; ExitCode: number; Output: string }[] | null
}

export interface ContainerStateView {
  Status: ContainerStatus
  Running: boolean
  Paused: boolean
  Restarting: boolean
  OOMKilled: boolean
  Dead: boolean
  /** Host pid; 0 when it is not running. */
  Pid: number
  ExitCode: number
  Error: string
  /** RFC 3339 with nanoseconds; NEVER before the first start. */
  StartedAt: string
  FinishedAt: string
  Health?: HealthView
}

/** A mount as inspect and ps show it. */
export interface MountPoint {
  Type: 'bind' | 'volume' | 'tmpfs' | 'image'
  Name?: string
  Source: string
  Destination: string
  Driver?: string
  Mode: string
  RW: boolean
  Propagation: string
}

export interface NetworkSettingsView {
  Bridge: string
  SandboxID: string
  SandboxKey: string
  Ports: PortMap
  HairpinMode: boolean
  LinkLocalIPv6Address: string
  LinkLocalIPv6PrefixLen: number
  SecondaryIPAddresses: null
  SecondaryIPv6Addresses: null
  EndpointID: string
  Gateway: string
  GlobalIPv6Address: string
  GlobalIPv6PrefixLen: number
  IPAddress: string
  IPPrefixLen: number
  IPv6Gateway: string
  MacAddress: string
  Networks: Record<string, EndpointSettingsView>
}

export interface GraphDriverView {
  Data: Record<string, string> | null
  Name: string
}

/** containers/{id}/json. */
export interface ContainerInspect {
  Id: string
  Created: string
  Path: string
  Args: readonly string[]
  State: ContainerStateView
  /** `sha256:…` of the image's config. */
  Image: string
  ResolvConfPath: string
  HostnamePath: string
  HostsPath: string
  LogPath: string
  /** With a slash before it. */
  Name: string
  RestartCount: number
  Driver: string
  Platform: string
  MountLabel: string
  ProcessLabel: string
  AppArmorProfile: string
  ExecIDs: string[] | null
  HostConfig: HostConfigView
  GraphDriver: GraphDriverView
  /** Bytes; only with `size=1`. */
  SizeRw?: number
  SizeRootFs?: number
  Mounts: MountPoint[]
  Config: ContainerConfigView
  NetworkSettings: NetworkSettingsView
}

export interface PortSummary {
  IP?: string
  PrivatePort: number
  PublicPort?: number
  Type: string
}

/** One of containers/json. */
export interface ContainerSummary {
  Id: string
  Names: string[]
  Image: string
  ImageID: string
  Command: string
  /** Seconds since the epoch. */
  Created: number
  Ports: PortSummary[]
  SizeRw?: number
  SizeRootFs?: number
  Labels: Readonly<Record<string, string>>
  State: ContainerStatus
  /** `Up 3 minutes (healthy)`, as clients print it. */
  Status: string
  HostConfig: { NetworkMode: string; Annotations?: Readonly<Record<string, string>> }
  NetworkSettings: { Networks: Record<string, EndpointSettingsView> }
  Mounts: MountPoint[]
}

/** containers/{id}/top. */
export interface ContainerTop {
  Titles: string[]
  Processes: string[][]
}

/** containers/{id}/wait. */
export interface WaitResult {
  StatusCode: number
  Error?: { Message: string }
}

/** exec/{id}/json. */
export interface ExecInspect {
  ID: string
  Running: boolean
  /** null until it has ended. */
  ExitCode: number | null
  ProcessConfig: { tty: boolean; entrypoint: string; arguments: readonly string[]; privileged: boolean; user?: string }
  OpenStdin: boolean
  OpenStderr: boolean
  OpenStdout: boolean
  CanRemove: boolean
  ContainerID: string
  DetachKeys: string
  Pid: number
}
