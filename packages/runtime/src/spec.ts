import type { IdMapping } from '@engine/linux/id-mappings'

/**
 * The OCI runtime spec's config.json, version 1.2, as far as Linux containers use it.
 * Source: opencontainers/runtime-spec config.md and config-linux.md. Package engine writes it, package runtime consumes it.
 */
export interface OciSpec {
  readonly ociVersion: string
  readonly process: OciProcess
  readonly root: { readonly path: string; readonly readonly?: boolean }
  readonly hostname?: string
  readonly domainname?: string
  readonly mounts: readonly OciMount[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly linux: OciLinux
}

export interface OciProcess {
  readonly terminal: boolean
  readonly consoleSize?: { readonly height: number; readonly width: number }
  readonly user: OciUser
  readonly args: readonly string[]
  /** `NAME=value` each; the only environment the program gets. */
  readonly env: readonly string[]
  /** Absolute path inside the root. */
  readonly cwd: string
  readonly capabilities: OciCapabilities
  readonly rlimits: readonly OciRlimit[]
  readonly noNewPrivileges: boolean
  readonly apparmorProfile?: string
  readonly oomScoreAdj?: number
}

export interface OciUser {
  readonly uid: number
  readonly gid: number
  readonly umask?: number
  /** Supplementary groups; the primary one is put first by whoever sets them (CVE-2022-36109). */
  readonly additionalGids: readonly number[]
}

/** Names like `CAP_NET_BIND_SERVICE`. */
export interface OciCapabilities {
  readonly bounding: readonly string[]
  readonly effective: readonly string[]
  readonly permitted: readonly string[]
  readonly inheritable: readonly string[]
  readonly ambient: readonly string[]
}

/** `type` as in getrlimit(2): `RLIMIT_NOFILE`; -1 is unlimited. */
export interface OciRlimit {
  readonly type: string
  readonly soft: number
  readonly hard: number
}

export interface OciMount {
  /** Absolute path inside the root. */
  readonly destination: string
  /** A file system type, or `bind`. */
  readonly type: string
  /** For binds an absolute host path; else the device's or file system's name. */
  readonly source: string
  /** mount(8) words: `ro`, `nosuid`, `rbind`, `rslave`, `mode=755`, `size=64k`, and `rro` for recursively read-only. */
  readonly options: readonly string[]
}

export type NamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup'

export interface OciNamespace {
  readonly type: NamespaceType
  /** A namespace to join (nsfs file); without it a new one is made. A type that is not listed stays the host's. */
  readonly path?: string
}

export interface OciDevice {
  readonly path: string
  readonly type: 'c' | 'b' | 'u' | 'p'
  readonly major: number
  readonly minor: number
  /** Permission bits, 0o666. */
  readonly fileMode?: number
  readonly uid?: number
  readonly gid?: number
}

export interface OciLinux {
  readonly namespaces: readonly OciNamespace[]
  /** What the ids of the user namespace are on the host; with a namespace that is joined they say what it has already. */
  readonly uidMappings?: readonly IdMapping[]
  readonly gidMappings?: readonly IdMapping[]
  readonly devices: readonly OciDevice[]
  /** Relative to each hierarchy's root: `/engine/<id>`. */
  readonly cgroupsPath: string
  readonly resources: OciResources
  readonly seccomp?: OciSeccomp
  readonly rootfsPropagation?: 'private' | 'slave' | 'shared' | 'rprivate' | 'rslave' | 'rshared'
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  /** `net.ipv4.ip_forward` → `1`. */
  readonly sysctl?: Readonly<Record<string, string>>
}

export interface OciResources {
  readonly devices?: readonly OciDeviceRule[]
  readonly memory?: {
    /** Bytes; -1 is unlimited. */
    readonly limit?: number
    /** Bytes, soft limit. */
    readonly reservation?: number
    /** Bytes of memory and swap together; -1 is unlimited. */
    readonly swap?: number
    readonly swappiness?: number
    readonly disableOOMKiller?: boolean
  }
  readonly cpu?: {
    readonly shares?: number
    /** Microseconds per period; -1 is unlimited. */
    readonly quota?: number
    /** Microseconds. */
    readonly period?: number
    readonly realtimeRuntime?: number
    readonly realtimePeriod?: number
    readonly cpus?: string
    readonly mems?: string
  }
  readonly pids?: { readonly limit: number }
  readonly blockIO?: {
    readonly weight?: number
    readonly weightDevice?: readonly { readonly major: number; readonly minor: number; readonly weight: number }[]
    readonly throttleReadBpsDevice?: readonly OciThrottle[]
    readonly throttleWriteBpsDevice?: readonly OciThrottle[]
    readonly throttleReadIOPSDevice?: readonly OciThrottle[]
    readonly throttleWriteIOPSDevice?: readonly OciThrottle[]
  }
  /** cgroup v2 files by name, written as they are. */
  readonly unified?: Readonly<Record<string, string>>
}

export interface OciThrottle {
  readonly major: number
  readonly minor: number
  readonly rate: number
}

export interface OciDeviceRule {
  readonly allow: boolean
  readonly type?: 'a' | 'b' | 'c'
  readonly major?: number
  readonly minor?: number
  /** Some of `r`, `w`, `m`. */
  readonly access: string
}

export type SeccompAction =
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_TRAP'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_TRACE'
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_LOG'

export interface OciSeccomp {
  readonly defaultAction: SeccompAction
  readonly defaultErrnoRet?: number
  /** `SCMP_ARCH_X86_64` … */
  readonly architectures: readonly string[]
  readonly flags?: readonly string[]
  readonly syscalls: readonly OciSeccompRule[]
}

export interface OciSeccompRule {
  readonly names: readonly string[]
  readonly action: SeccompAction
  readonly errnoRet?: number
  readonly args?: readonly {
    readonly index: number
    readonly value: number
    readonly valueTwo?: number
    /** `SCMP_CMP_EQ`, `SCMP_CMP_MASKED_EQ`, … */
    readonly op: string
  }[]
}
