import { isIP } from 'node:net'
import { availableParallelism } from 'node:os'
import { EngineError } from '@engine/linux'
import type { ContainerConfig, HostConfigView } from '../types/container-config.ts'
import { maximumMember, parseList, type KernelLimits } from '../system/limits.ts'
import { checkPortBindings } from './port-bindings.ts'

const invalid = (message: string): EngineError => new EngineError('invalid-argument', message)
const MiB = 1024 * 1024

/**
 * Docker's checks of a completed HostConfig, in its words and order (moby verifyPlatformContainerSettings). Limits that the
 * kernel has not are taken out of `host`.
 * @param config what the client gave, without what the image says
 * @returns warnings
 * @throws EngineError invalid-argument for what cannot be, not-implemented for what engine does not do yet
 */
export function checkHostConfig(host: HostConfigView, config: NetworkedConfig, limits: KernelLimits): string[] {
  const warnings: string[] = []
  checkPolicy(host)
  checkModes(host)
  checkPortBindings(host.PortBindings)
  checkNetwork(host, config, warnings)
  checkMemory(host, limits, warnings)
  checkCpu(host, limits, warnings)
  checkIo(host, limits, warnings)
  if (host.OomScoreAdj < -1000 || host.OomScoreAdj > 1000) throw invalid(`Invalid value ${host.OomScoreAdj}, range for oom score adj is [-1000, 1000]`)
  if (host.ShmSize < 0) throw invalid('SHM size can not be less than 0')
  checkPids(host, limits, warnings)
  for (const option of host.ExtraHosts ?? []) checkExtraHost(option)
  if (host.Isolation !== '' && host.Isolation !== 'default') throw invalid(`invalid isolation (${host.Isolation}): linux only supports 'default'`)
  return warnings
}

/**
 * Docker's checks of a change to a container's resources and restart policy: those of creation, but what only makes sense beside
 * another limit may be there from before.
 * @returns warnings
 * @throws EngineError invalid-argument
 */
export function checkUpdate(host: HostConfigView, limits: KernelLimits): string[] {
  const warnings: string[] = []
  checkPolicy(host)
  checkMemory(host, limits, warnings, true)
  checkCpu(host, limits, warnings)
  checkIo(host, limits, warnings)
  checkPids(host, limits, warnings)
  return warnings
}

type NetworkedConfig = Pick<ContainerConfig, 'Hostname' | 'MacAddress' | 'ExposedPorts'>

function checkPolicy(host: HostConfigView): void {
  const { Name, MaximumRetryCount } = host.RestartPolicy
  if (!['no', 'always', 'unless-stopped', 'on-failure'].includes(Name)) {
    throw invalid(`invalid restart policy: unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`)
  }
  if (Name !== 'on-failure' && MaximumRetryCount !== 0) {
    const also = MaximumRetryCount < 0 ? ' and cannot be negative' : ''
    throw invalid(`invalid restart policy: maximum retry count can only be used with 'on-failure'${also}`)
  }
  if (MaximumRetryCount < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative')
  if (host.AutoRemove && Name !== 'no') throw invalid("can't create 'AutoRemove' container with restart policy")
}

function checkModes(host: HostConfigView): void {
  if (host.IpcMode !== 'none' && host.IpcMode !== 'private' && host.IpcMode !== 'shareable' && host.IpcMode !== 'host' && !isContainerMode(host.IpcMode)) {
    throw invalid(`invalid IPC mode: ${host.IpcMode}`)
  }
  if (host.PidMode !== '' && host.PidMode !== 'host' && !isContainerMode(host.PidMode)) throw invalid(`invalid PID mode: ${host.PidMode}`)
  if (host.UTSMode !== '' && host.UTSMode !== 'host') throw invalid(`invalid UTS mode: ${host.UTSMode}`)
  if (host.CgroupnsMode !== 'private' && host.CgroupnsMode !== 'host') throw invalid(`invalid cgroup namespace mode: ${host.CgroupnsMode}`)
  if (host.UsernsMode !== '' && host.UsernsMode !== 'host') throw invalid(`invalid USER mode: ${host.UsernsMode}`)
}

/** `container:<name|id>`. */
export function isContainerMode(mode: string): boolean {
  return mode.startsWith('container:') && mode.length > 'container:'.length
}

function checkNetwork(host: HostConfigView, { Hostname, MacAddress, ExposedPorts }: NetworkedConfig, warnings: string[]): void {
  const exposes = ExposedPorts !== null && ExposedPorts !== undefined
  const bindings = Object.keys(host.PortBindings ?? {}).length > 0
  if (host.NetworkMode.startsWith('container:')) {
    if (!isContainerMode(host.NetworkMode)) throw invalid('invalid network mode: invalid container format container:<name|id>')
    const conflict = (what: string): EngineError => invalid(`conflicting options: ${what} and the container type network mode`)
    if (Hostname) throw invalid('conflicting options: hostname and the network mode')
    if ((host.Links?.length ?? 0) > 0) throw invalid("conflicting options: container type network can't be used with links. This would result in undefined behavior")
    if ((host.Dns?.length ?? 0) > 0) throw invalid('conflicting options: dns and the network mode')
    if ((host.ExtraHosts?.length ?? 0) > 0) throw invalid('conflicting options: custom host-to-IP mapping and the network mode')
    if (MacAddress) throw invalid('conflicting options: mac-address and the network mode')
    if (bindings || host.PublishAllPorts) throw conflict('port publishing')
    if (exposes) throw conflict('port exposing')
  } else if (host.NetworkMode === 'host') {
    if ((host.Links?.length ?? 0) > 0) throw invalid("conflicting options: host type networking can't be used with links. This would result in undefined behavior")
    if (MacAddress) throw invalid('conflicting options: mac-address and the network mode')
    if (bindings) warnings.push('Published ports are discarded when using host network mode')
  }
  if (host.UTSMode === 'host' && Hostname) throw invalid('conflicting options: hostname and the UTS mode')
}

function checkPids(host: HostConfigView, limits: KernelLimits, warnings: string[]): void {
  if (host.PidsLimit === null || host.PidsLimit <= 0 || limits.pids) return
  warnings.push('Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.')
  host.PidsLimit = null
}

function checkMemory(host: HostConfigView, limits: KernelLimits, warnings: string[], update = false): void {
  if (host.Memory !== 0 && host.Memory < 6 * MiB) throw invalid('Minimum memory limit allowed is 6MB')
  if (host.Memory > 0 && !limits.memory) {
    warnings.push('Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.')
    host.Memory = 0
    host.MemorySwap = -1
  }
  if (host.Memory > 0 && host.MemorySwap !== -1 && !limits.swap) {
    warnings.push('Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.')
    host.MemorySwap = -1
  }
  if (host.Memory > 0 && host.MemorySwap > 0 && host.MemorySwap < host.Memory) throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage')
  if (host.Memory === 0 && host.MemorySwap > 0 && !update) throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage')
  if (host.MemorySwappiness !== null) {
    if (host.MemorySwappiness < 0 || host.MemorySwappiness > 100) throw invalid(`Invalid value: ${host.MemorySwappiness}, valid memory swappiness range is 0-100`)
    if (!limits.swappiness) {
      warnings.push('Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.')
      host.MemorySwappiness = null
    }
  }
  if (host.MemoryReservation > 0 && !limits.memoryReservation) {
    warnings.push('Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.')
    host.MemoryReservation = 0
  }
  if (host.MemoryReservation > 0 && host.MemoryReservation < 6 * MiB) throw invalid('Minimum memory reservation allowed is 6MB')
  if (host.Memory > 0 && host.MemoryReservation > 0 && host.Memory < host.MemoryReservation) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage')
  }
  if (host.OomKillDisable !== null && !limits.oomKillDisable) {
    if (host.OomKillDisable) warnings.push('Your kernel does not support OomKillDisable. OomKillDisable discarded.')
    host.OomKillDisable = null
  }
  if (host.OomKillDisable === true && host.Memory === 0) {
    warnings.push('OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.')
  }
}

function checkCpu(host: HostConfigView, limits: KernelLimits, warnings: string[]): void {
  if (host.NanoCpus > 0) {
    if (host.CpuPeriod > 0) throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set')
    if (host.CpuQuota > 0) throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set')
    if (!limits.cpuCfs) throw invalid('NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted')
  }
  const cpus = availableParallelism()
  if (host.NanoCpus < 0 || host.NanoCpus > cpus * 1e9) {
    throw invalid(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`)
  }
  if (host.CpuShares < 0) throw invalid(`shares must be greater than or equal to 0`)
  if (host.CpuShares > 0 && !limits.cpuShares) {
    warnings.push('Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.')
    host.CpuShares = 0
  }
  if ((host.CpuPeriod > 0 || host.CpuQuota > 0) && !limits.cpuCfs) {
    warnings.push('Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.')
    host.CpuPeriod = 0
    host.CpuQuota = 0
  }
  if (host.CpuPeriod !== 0 && (host.CpuPeriod < 1000 || host.CpuPeriod > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)')
  }
  if (host.CpuQuota > 0 && host.CpuQuota < 1000) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)')
  if (host.CpuRealtimePeriod !== 0 && host.CpuRealtimeRuntime > host.CpuRealtimePeriod) throw invalid('cpu real-time runtime cannot be higher than cpu real-time period')
  if ((host.CpuRealtimePeriod !== 0 || host.CpuRealtimeRuntime !== 0) && !limits.cpuRealtime) {
    warnings.push('Your kernel does not support CPU real-time scheduling for cgroups. CPU real-time period/runtime discarded.')
    host.CpuRealtimePeriod = 0
    host.CpuRealtimeRuntime = 0
  }
  if ((host.CpusetCpus !== '' || host.CpusetMems !== '') && !limits.cpuset) {
    warnings.push('Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.')
    host.CpusetCpus = ''
    host.CpusetMems = ''
  }
  checkList('cpuset cpus', 'CPUs', host.CpusetCpus, limits.cpus)
  checkList('cpuset mems', 'memory nodes', host.CpusetMems, limits.mems)
}

function checkList(field: string, what: string, requested: string, available: string): void {
  const wanted = parseList(requested)
  if (wanted === undefined) throw invalid(`Invalid value ${requested} for ${field}: ${/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(requested) && requested.split(/[,-]/).some((one) => Number(one) > maximumMember) ? `value of out range, maximum is ${maximumMember}` : `invalid format: ${requested}`}`)
  const there = parseList(available) ?? new Set()
  for (const member of wanted) {
    if (!there.has(member)) throw invalid(`Requested ${what} are not available - requested ${requested}, available: ${available}`)
  }
}

function checkIo(host: HostConfigView, limits: KernelLimits, warnings: string[]): void {
  if (host.BlkioWeight > 0 && !limits.blkioWeight) {
    warnings.push('Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.')
    host.BlkioWeight = 0
  }
  if (host.BlkioWeight > 0 && (host.BlkioWeight < 10 || host.BlkioWeight > 1000)) throw invalid('Range of blkio weight is from 10 to 1000')
  if ((host.BlkioWeightDevice?.length ?? 0) > 0 && !limits.blkioWeight) {
    warnings.push('Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.')
    host.BlkioWeightDevice = []
  }
  if (limits.blkioThrottle) return
  for (const [field, what] of [
    ['BlkioDeviceReadBps', 'Block I/O read limit in bytes per second'],
    ['BlkioDeviceWriteBps', 'Block I/O write limit in bytes per second'],
    ['BlkioDeviceReadIOps', 'Block read limit in IO per second'],
    ['BlkioDeviceWriteIOps', 'Block write limit in IO per second'],
  ] as const) {
    if ((host[field]?.length ?? 0) === 0) continue
    warnings.push(`Your kernel does not support ${what} or the cgroup is not mounted. Limit discarded.`)
    host[field] = []
  }
}

/** `name:address`, `name=address` or `name:host-gateway`. */
function checkExtraHost(option: string): void {
  const match = /^([^:=]+)[:=](.+)$/.exec(option)
  if (match === null) throw invalid(`bad format for add-host: ${JSON.stringify(option)}`)
  const address = (match[2] as string).replace(/^\[(.*)\]$/, '$1')
  if (address !== 'host-gateway' && isIP(address) === 0) throw invalid(`invalid IP address in add-host: ${JSON.stringify(address)}`)
}


