import * as z from 'zod'
import { ContainerConfig, EndpointSettings, HealthConfig, HostConfig } from './container-config.ts'

const nullableTexts = z.array(z.string()).nullable()
const map = z.record(z.string(), z.string())
const set = z.record(z.string(), z.object({}))

/** `Config` as it is answered: what has no `optional` is always there. */
export const ContainerConfigView = z.object({
  ...ContainerConfig.shape,
  Hostname: z.string(),
  Domainname: z.string(),
  User: z.string(),
  AttachStdin: z.boolean(),
  AttachStdout: z.boolean(),
  AttachStderr: z.boolean(),
  Tty: z.boolean(),
  OpenStdin: z.boolean(),
  StdinOnce: z.boolean(),
  Env: nullableTexts,
  Cmd: nullableTexts,
  Healthcheck: HealthConfig.optional(),
  Image: z.string(),
  Volumes: set.nullable(),
  WorkingDir: z.string(),
  Entrypoint: nullableTexts,
  Labels: map,
})

/** `HostConfig` as it is answered. */
export const HostConfigView = z.object({
  ...HostConfig.shape,
  Binds: nullableTexts,
  LogConfig: z.object({ Type: z.string(), Config: map }),
  NetworkMode: z.string(),
  RestartPolicy: z.object({ Name: z.string(), MaximumRetryCount: z.number() }),
  AutoRemove: z.boolean(),
  CgroupnsMode: z.string(),
  IpcMode: z.string(),
  Privileged: z.boolean(),
  PublishAllPorts: z.boolean(),
  ReadonlyRootfs: z.boolean(),
  ShmSize: z.number(),
  Runtime: z.string(),
  Memory: z.number(),
  NanoCpus: z.number(),
})

/** An endpoint as it is answered. */
export const EndpointSettingsView = z.object({
  ...EndpointSettings.shape,
  MacAddress: z.string(),
  NetworkID: z.string(),
  EndpointID: z.string(),
  Gateway: z.string(),
  IPAddress: z.string(),
  IPPrefixLen: z.number(),
  IPv6Gateway: z.string(),
  GlobalIPv6Address: z.string(),
  GlobalIPv6PrefixLen: z.number(),
})

export const MountPoint = z.object({
  Type: z.string(),
  Name: z.string().optional(),
  Source: z.string(),
  Destination: z.string(),
  Driver: z.string().optional(),
  Mode: z.string(),
  RW: z.boolean(),
  Propagation: z.string(),
})

/** The states a container can be in. */
export const ContainerStatus = z.literal(['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'])

export const ContainerState = z.object({
  Status: ContainerStatus,
  Running: z.boolean(),
  Paused: z.boolean(),
  Restarting: z.boolean(),
  OOMKilled: z.boolean(),
  Dead: z.boolean(),
  Pid: z.number(),
  ExitCode: z.number(),
  Error: z.string(),
  StartedAt: z.string(),
  FinishedAt: z.string(),
  Health: z
    .object({
      Status: z.string(),
      FailingStreak: z.number(),
      Log: z.array(z.object({ Start: z.string(), End: z.string(), ExitCode: z.number(), Output: z.string() })).nullable(),
    })
    .optional(),
})

export const GraphDriver = z.object({ Name: z.string(), Data: map.nullable() })

const PortMap = z.record(z.string(), z.array(z.object({ HostIp: z.string(), HostPort: z.string() })).nullable())

/** GET /containers/{id}/json */
export const ContainerInspectResponse = z.object({
  Id: z.string(),
  Created: z.string(),
  Path: z.string(),
  Args: z.array(z.string()),
  State: ContainerState,
  Image: z.string(),
  ResolvConfPath: z.string(),
  HostnamePath: z.string(),
  HostsPath: z.string(),
  LogPath: z.string(),
  Name: z.string(),
  RestartCount: z.number(),
  Driver: z.string(),
  Platform: z.string(),
  MountLabel: z.string(),
  ProcessLabel: z.string(),
  AppArmorProfile: z.string(),
  ExecIDs: nullableTexts,
  HostConfig: HostConfigView,
  GraphDriver,
  SizeRw: z.number().optional(),
  SizeRootFs: z.number().optional(),
  Mounts: z.array(MountPoint),
  Config: ContainerConfigView,
  NetworkSettings: z.object({
    SandboxID: z.string(),
    SandboxKey: z.string(),
    Ports: PortMap,
    Bridge: z.string(),
    HairpinMode: z.boolean(),
    LinkLocalIPv6Address: z.string(),
    LinkLocalIPv6PrefixLen: z.number(),
    SecondaryIPAddresses: z.null(),
    SecondaryIPv6Addresses: z.null(),
    EndpointID: z.string(),
    Gateway: z.string(),
    GlobalIPv6Address: z.string(),
    GlobalIPv6PrefixLen: z.number(),
    IPAddress: z.string(),
    IPPrefixLen: z.number(),
    IPv6Gateway: z.string(),
    MacAddress: z.string(),
    Networks: z.record(z.string(), EndpointSettingsView),
  }),
})

/** One of GET /containers/json */
export const ContainerSummary = z.object({
  Id: z.string(),
  Names: z.array(z.string()),
  Image: z.string(),
  ImageID: z.string(),
  Command: z.string(),
  Created: z.number(),
  Ports: z.array(z.object({ IP: z.string().optional(), PrivatePort: z.number(), PublicPort: z.number().optional(), Type: z.string() })),
  SizeRw: z.number().optional(),
  SizeRootFs: z.number().optional(),
  Labels: map.nullable(),
  State: ContainerStatus,
  Status: z.string(),
  HostConfig: z.object({ NetworkMode: z.string(), Annotations: map.optional() }),
  NetworkSettings: z.object({ Networks: z.record(z.string(), EndpointSettingsView) }),
  Mounts: z.array(MountPoint),
})

/** POST /containers/create */
export const ContainerCreateResponse = z.object({ Id: z.string(), Warnings: z.array(z.string()) })

/** POST /containers/{id}/update */
export const ContainerUpdateResponse = z.object({ Warnings: nullableTexts })

/** GET /containers/{id}/top */
export const ContainerTopResponse = z.object({ Titles: z.array(z.string()), Processes: z.array(z.array(z.string())) })

/** POST /containers/{id}/wait */
export const ContainerWaitResponse = z.object({ StatusCode: z.number(), Error: z.object({ Message: z.string() }).nullish() })

/** POST /containers/prune */
export const ContainerPruneResponse = z.object({ ContainersDeleted: nullableTexts, SpaceReclaimed: z.number() })

/** GET /exec/{id}/json */
export const ExecInspectResponse = z.object({
  ID: z.string(),
  Running: z.boolean(),
  ExitCode: z.number().nullable(),
  ProcessConfig: z.object({
    tty: z.boolean(),
    entrypoint: z.string(),
    arguments: z.array(z.string()),
    privileged: z.boolean().optional(),
    user: z.string().optional(),
  }),
  OpenStdin: z.boolean(),
  OpenStderr: z.boolean(),
  OpenStdout: z.boolean(),
  CanRemove: z.boolean(),
  ContainerID: z.string(),
  DetachKeys: z.string(),
  Pid: z.number(),
})

/** One of GET /containers/{id}/explain, which is ours: a kernel action made for the container. */
export const LedgerEntry = z.object({
  Sequence: z.number(),
  At: z.string(),
  ContainerID: z.string(),
  ExecID: z.string().optional(),
  Process: z.literal(['engined', 'shim', 'init']),
  Cause: z.string(),
  CauseID: z.string(),
  Call: z.string(),
  Args: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  Result: z.number(),
  Errno: z.string().optional(),
  Nanoseconds: z.number(),
})

export const IdResponse = z.object({ Id: z.string() })

export type ContainerInspectResponse = z.infer<typeof ContainerInspectResponse>
export type ContainerSummary = z.infer<typeof ContainerSummary>
export type ContainerState = z.infer<typeof ContainerState>
export type ContainerCreateResponse = z.infer<typeof ContainerCreateResponse>
export type ContainerTopResponse = z.infer<typeof ContainerTopResponse>
export type ContainerWaitResponse = z.infer<typeof ContainerWaitResponse>
export type ContainerPruneResponse = z.infer<typeof ContainerPruneResponse>
export type ExecInspectResponse = z.infer<typeof ExecInspectResponse>
export type MountPoint = z.infer<typeof MountPoint>
export type LedgerEntry = z.infer<typeof LedgerEntry>
