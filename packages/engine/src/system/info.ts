import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, hostname, machine, release, totalmem } from 'node:os'
import { hasAppArmor } from '@engine/runtime'
import { installedInit } from '../containers/init-program.ts'
import { defaultCdiSpecDirs } from '../cdi/inject.ts'
import { builtInRuntime, knownRuntimes } from '../containers/runtimes.ts'
import { now, rfc3339 } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import { logDrivers } from '../logs/index.ts'
import type { SystemInfo } from '../types/system-views.ts'
import { kernelLimits } from './limits.ts'
import { programVersion } from './identity.ts'

/** GET /info: every field that the docker command prints. What there is not is said not to be. */
export function systemInfo(engine: EngineContext, images: number): SystemInfo {
  const { options } = engine
  const limits = kernelLimits()
  const containers = engine.containers.all().map(({ state }) => state.status)
  const running = containers.filter((status) => status === 'running' || status === 'restarting').length
  const paused = containers.filter((status) => status === 'paused').length
  const forwarding = read('/proc/sys/net/ipv4/ip_forward') === '1'
  const warnings = [
    ...(limits.memory ? [] : ['WARNING: No memory limit support']),
    ...(limits.swap ? [] : ['WARNING: No swap limit support']),
    ...(limits.cpuShares ? [] : ['WARNING: No cpu shares support']),
    ...(limits.cpuCfs ? [] : ['WARNING: No cpu cfs quota support', 'WARNING: No cpu cfs period support']),
    ...(limits.cpuset ? [] : ['WARNING: No cpuset support']),
    ...(forwarding ? [] : ['WARNING: IPv4 forwarding is disabled']),
  ]
  const init = installedInit()
  return {
    ID: engine.id,
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running - paused,
    Images: images,
    Driver: 'overlay2',
    DriverStatus: [
      ['Backing Filesystem', backingFilesystem(options.dataRoot)],
      ['Supports d_type', 'true'],
      ['Using metacopy', 'false'],
      ['Native Overlay Diff', 'true'],
      ['userxattr', 'false'],
      ...(options.imageMaxSize === undefined ? [] : [['Image Max Size', `${options.imageMaxSize} bytes`] satisfies [string, string]]),
      ...(options.buildCacheMaxSize === undefined ? [] : [['Build Cache Max Size', `${options.buildCacheMaxSize} bytes`] satisfies [string, string]]),
    ],
    Plugins: { Volume: ['local'], Network: ['bridge', 'host', 'ipvlan', 'macvlan', 'null'], Authorization: null, Log: [...logDrivers] },
    MemoryLimit: limits.memory,
    SwapLimit: limits.swap,
    ...(limits.kernelMemoryTcp ? { KernelMemoryTCP: true } : {}),
    CpuCfsPeriod: limits.cpuCfs,
    CpuCfsQuota: limits.cpuCfs,
    CPUShares: limits.cpuShares,
    CPUSet: limits.cpuset,
    PidsLimit: limits.pids,
    IPv4Forwarding: forwarding,
    Debug: options.debug,
    NFd: readdirSync('/proc/self/fd').length,
    OomKillDisable: limits.oomKillDisable,
    // Threads: what comes closest here.
    NGoroutines: readdirSync('/proc/self/task').length,
    SystemTime: rfc3339(now()),
    LoggingDriver: engine.options.logDefault?.Type ?? 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: limits.cgroupVersion === 2 ? '2' : '1',
    NEventsListener: engine.events.listeners,
    KernelVersion: release(),
    OperatingSystem: /^PRETTY_NAME="?(.*?)"?$/m.exec(read('/etc/os-release'))?.[1] ?? 'Linux',
    OSVersion: /^VERSION_ID="?(.*?)"?$/m.exec(read('/etc/os-release'))?.[1] ?? '',
    OSType: 'linux',
    Architecture: machine(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      IndexConfigs: { 'docker.io': { Mirrors: [], Name: 'docker.io', Official: true, Secure: true } },
      InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8'],
      Mirrors: null,
    },
    NCPU: availableParallelism(),
    MemTotal: totalmem(),
    GenericResources: null,
    DockerRootDir: options.dataRoot,
    HttpProxy: maskCredentials(fromEnvironment('HTTP_PROXY')),
    HttpsProxy: maskCredentials(fromEnvironment('HTTPS_PROXY')),
    NoProxy: fromEnvironment('NO_PROXY'),
    Name: hostname(),
    Labels: options.labels,
    ExperimentalBuild: false,
    ServerVersion: programVersion(),
    Runtimes: knownRuntimes(options),
    DefaultRuntime: options.defaultRuntime ?? builtInRuntime,
    Swarm: { NodeID: '', NodeAddr: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: init?.split('/').at(-1) ?? '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: [...(hasAppArmor() ? ['name=apparmor'] : []), 'name=seccomp,profile=builtin', ...(limits.cgroupVersion === 2 ? ['name=cgroupns'] : []), ...(engine.remap === undefined ? [] : ['name=userns'])],
    ...(options.addressPools.length === 0 ? {} : { DefaultAddressPools: options.addressPools.map(({ base, size }) => ({ Base: base, Size: size })) }),
    FirewallBackend: { Driver: 'nftables' },
    CDISpecDirs: [...(options.cdiSpecDirs ?? defaultCdiSpecDirs)],
    Warnings: warnings.length === 0 ? null : warnings,
  }
}

function fromEnvironment(name: string): string {
  return process.env[name] || process.env[name.toLowerCase()] || ''
}

/** A proxy's user and password are nobody's business (moby daemon/config, MaskCredentials). */
function maskCredentials(proxy: string): string {
  return proxy.replace(/^([a-z0-9+.-]+:\/\/)?[^/]*@/i, '$1xxxxx:xxxxx@')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

/** Names of file systems by statfs(2)'s type, as Docker's storage driver shows them. */
const filesystems: Readonly<Record<number, string>> = {
  0xef53: 'extfs', 0x58465342: 'xfs', 0x9123683e: 'btrfs', 0x01021994: 'tmpfs', 0x2fc12fc1: 'zfs', 0xf2f52010: 'f2fs', 0x794c7630: 'overlayfs', 0xca451a4e: 'bcachefs',
}

function backingFilesystem(path: string): string {
  const { type } = statfsSync(path)
  return filesystems[type] ?? `0x${type.toString(16)}`
}
