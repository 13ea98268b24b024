import * as z from 'zod'

import { words } from './parameters.ts'

/** GET /system/df: kinds of objects that are wanted; none means all. */
export const SystemDataUsageQuery = z.object({ type: words })

const map = z.record(z.string(), z.string())

/** GET /version */
export const SystemVersion = z.object({
  Platform: z.object({ Name: z.string() }),
  Components: z.array(z.object({ Name: z.string(), Version: z.string(), Details: map.nullish() })),
  Version: z.string(),
  ApiVersion: z.string(),
  MinAPIVersion: z.string(),
  GitCommit: z.string(),
  GoVersion: z.string(),
  Os: z.string(),
  Arch: z.string(),
  KernelVersion: z.string(),
  Experimental: z.boolean().optional(),
  BuildTime: z.string().optional(),
})

/** GET /info */
export const SystemInfo = z.object({
  ID: z.string(),
  Containers: z.number(),
  ContainersRunning: z.number(),
  ContainersPaused: z.number(),
  ContainersStopped: z.number(),
  Images: z.number(),
  Driver: z.string(),
  DriverStatus: z.array(z.tuple([z.string(), z.string()])),
  Plugins: z.object({
    Volume: z.array(z.string()),
    Network: z.array(z.string()),
    Authorization: z.array(z.string()).nullable(),
    Log: z.array(z.string()),
  }),
  MemoryLimit: z.boolean(),
  SwapLimit: z.boolean(),
  KernelMemoryTCP: z.boolean().optional(),
  CpuCfsPeriod: z.boolean(),
  CpuCfsQuota: z.boolean(),
  CPUShares: z.boolean(),
  CPUSet: z.boolean(),
  PidsLimit: z.boolean(),
  IPv4Forwarding: z.boolean(),
  Debug: z.boolean(),
  NFd: z.number(),
  OomKillDisable: z.boolean(),
  NGoroutines: z.number(),
  SystemTime: z.string(),
  LoggingDriver: z.string(),
  CgroupDriver: z.string(),
  CgroupVersion: z.string(),
  NEventsListener: z.number(),
  KernelVersion: z.string(),
  OperatingSystem: z.string(),
  OSVersion: z.string(),
  OSType: z.string(),
  Architecture: z.string(),
  IndexServerAddress: z.string(),
  RegistryConfig: z.object({
    IndexConfigs: z.record(z.string(), z.object({ Name: z.string(), Mirrors: z.array(z.string()).nullable(), Secure: z.boolean(), Official: z.boolean() })),
    InsecureRegistryCIDRs: z.array(z.string()),
    Mirrors: z.array(z.string()).nullable(),
  }),
  NCPU: z.number(),
  MemTotal: z.number(),
  GenericResources: z.array(z.looseObject({})).nullable(),
  DockerRootDir: z.string(),
  HttpProxy: z.string(),
  HttpsProxy: z.string(),
  NoProxy: z.string(),
  Name: z.string(),
  Labels: z.array(z.string()),
  ExperimentalBuild: z.boolean(),
  ServerVersion: z.string(),
  Runtimes: z.record(z.string(), z.object({ path: z.string(), runtimeArgs: z.array(z.string()).optional(), status: map.nullish() })),
  DefaultRuntime: z.string(),
  Swarm: z.object({
    NodeID: z.string(),
    NodeAddr: z.string(),
    LocalNodeState: z.string(),
    ControlAvailable: z.boolean(),
    Error: z.string(),
    RemoteManagers: z.null(),
  }),
  LiveRestoreEnabled: z.boolean(),
  Isolation: z.string(),
  InitBinary: z.string(),
  ContainerdCommit: z.object({ ID: z.string() }),
  RuncCommit: z.object({ ID: z.string() }),
  InitCommit: z.object({ ID: z.string() }),
  SecurityOptions: z.array(z.string()),
  DefaultAddressPools: z.array(z.object({ Base: z.string(), Size: z.number() })).optional(),
  FirewallBackend: z.object({ Driver: z.string(), Info: z.array(z.tuple([z.string(), z.string()])).optional() }),
  CDISpecDirs: z.array(z.string()),
  Warnings: z.array(z.string()).nullable(),
})

export type SystemVersion = z.infer<typeof SystemVersion>
export type SystemInfo = z.infer<typeof SystemInfo>
