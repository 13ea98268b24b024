import { isMacAddress } from '../arguments/addresses.ts'
import { readKeyValueFile, toMap } from '../arguments/key-values.ts'
import type { FlagValues } from '../arguments/flag.ts'
import type { Parsed } from '../arguments/parse.ts'
import { isCdiDevice, readDevices } from './devices.ts'
import type { containerFlags } from './flags.ts'
import { readHealthcheck } from './health.ts'
import { mergeUlimits } from './limits.ts'
import { readVolumes } from './mounts.ts'
import { endpoints } from './networks.ts'
import { readPorts } from './ports.ts'
import { readRestartPolicy } from './restart-policy.ts'
import { normaliseCapabilities, readSecurityOptions } from './security.ts'

export type ContainerFlags = FlagValues<typeof containerFlags>

/** Body of `POST /containers/create`, as the docker command sends it for the same flags. */
export interface CreateBody {
  Image: string
  Tty: boolean
  OpenStdin: boolean
  StdinOnce: boolean
  AttachStdin: boolean
  AttachStdout: boolean
  AttachStderr: boolean
  HostConfig: { AutoRemove: boolean; ConsoleSize: [number, number]; readonly Dns: readonly string[] } & Record<string, unknown>
  [field: string]: unknown
}

/**
 * Maps the flags and arguments of `run` and `create` to the request's body.
 * @param args image, then the command
 * @throws Error with docker's text for what cannot be mapped
 */
export function createBody({ flags, args, given }: Pick<Parsed<typeof containerFlags>, 'flags' | 'args' | 'given'>): CreateBody {
  if (flags['mac-address'] !== undefined && !isMacAddress(flags['mac-address'])) throw new Error(`${flags['mac-address']} is not a valid mac address`)
  const swappiness = flags['memory-swappiness'] ?? -1
  if (swappiness < -1 || swappiness > 100) throw new Error(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`)

  const volumes = readVolumes(flags.volume)
  const ports = readPorts(flags.publish, flags.expose)
  const healthcheck = readHealthcheck(flags)
  const hostConfig = hostConfigOf(flags, volumes.binds, ports.bindings, swappiness, given('init'))
  const attachStdin = flags.attach.includes('stdin') || flags.interactive
  const all = flags.attach.length === 0
  return {
    Hostname: flags.hostname ?? '',
    Domainname: flags.domainname ?? '',
    User: flags.user ?? '',
    AttachStdin: attachStdin,
    AttachStdout: all || flags.attach.includes('stdout'),
    AttachStderr: all || flags.attach.includes('stderr'),
    ...(Object.keys(ports.exposed).length === 0 ? {} : { ExposedPorts: ports.exposed }),
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && attachStdin,
    Env: orNull([...flags['env-file'].flatMap((path) => readKeyValueFile(path, true)), ...flags.env]),
    Cmd: orNull(args.slice(1)),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    Image: args[0] ?? '',
    Volumes: volumes.anonymous,
    WorkingDir: flags.workdir ?? '',
    // `--entrypoint ""` resets the image's.
    Entrypoint: flags.entrypoint === undefined ? null : [flags.entrypoint],
    OnBuild: null,
    Labels: toMap([...flags['label-file'].flatMap((path) => readKeyValueFile(path, false)), ...flags.label]),
    ...(flags['stop-signal'] === undefined ? {} : { StopSignal: flags['stop-signal'] }),
    ...(flags['stop-timeout'] === undefined ? {} : { StopTimeout: flags['stop-timeout'] }),
    HostConfig: hostConfig,
    NetworkingConfig: {
      EndpointsConfig: endpoints([...flags.network, ...flags.net], {
        aliases: [...flags['network-alias'], ...flags['net-alias']],
        links: flags.link,
        ipv4: flags.ip,
        ipv6: flags.ip6,
        linkLocal: flags['link-local-ip'],
        mac: flags['mac-address'],
      }),
    },
  }
}

function hostConfigOf(flags: ContainerFlags, binds: readonly string[], bindings: object, swappiness: number, initGiven: boolean): CreateBody['HostConfig'] {
  const restart = readRestartPolicy(flags.restart)
  if (flags.rm && restart.Name !== 'no' && restart.Name !== '') throw new Error('conflicting options: cannot specify both --restart and --rm')
  if (flags['log-driver'] === 'none' && flags['log-opt'].length > 0) throw new Error('invalid logging opts for driver none')
  if (flags['storage-opt'].some((option) => !option.includes('='))) throw new Error('invalid storage option')
  const security = readSecurityOptions(flags['security-opt'])
  const [network] = [...flags.network, ...flags.net]
  return {
    Binds: orNull(binds),
    ContainerIDFile: flags.cidfile ?? '',
    LogConfig: { Type: flags['log-driver'] ?? '', Config: toMap(flags['log-opt']) },
    NetworkMode: network?.target ?? 'default',
    PortBindings: bindings,
    RestartPolicy: restart,
    AutoRemove: flags.rm,
    VolumeDriver: flags['volume-driver'] ?? '',
    VolumesFrom: orNull(flags['volumes-from']),
    ConsoleSize: [0, 0],
    ...unlessEmpty('Annotations', toMap(flags.annotation)),
    CapAdd: normaliseCapabilities(flags['cap-add']),
    CapDrop: normaliseCapabilities(flags['cap-drop']),
    CgroupnsMode: oneOf(flags.cgroupns, ['host', 'private'], '--cgroupns: invalid CGROUP mode'),
    Dns: flags.dns,
    DnsOptions: [...flags['dns-option'], ...flags['dns-opt']],
    DnsSearch: flags['dns-search'],
    ExtraHosts: orNull(flags['add-host']),
    GroupAdd: orNull(flags['group-add']),
    IpcMode: flags.ipc ?? '',
    Cgroup: '',
    Links: orNull(flags.link),
    OomScoreAdj: flags['oom-score-adj'] ?? 0,
    PidMode: flags.pid?.startsWith('container:') === true && flags.pid !== 'container:' ? flags.pid : oneOf(flags.pid, ['host'], '--pid: invalid PID mode'),
    Privileged: flags.privileged,
    PublishAllPorts: flags['publish-all'],
    ReadonlyRootfs: flags['read-only'],
    SecurityOpt: security.options,
    ...unlessEmpty('StorageOpt', toMap(flags['storage-opt'])),
    ...unlessEmpty('Tmpfs', Object.fromEntries(flags.tmpfs.map(tmpfsEntry))),
    UTSMode: oneOf(flags.uts, ['host'], '--uts: invalid UTS mode'),
    UsernsMode: oneOf(flags.userns, ['host'], '--userns: invalid USER mode'),
    ShmSize: flags['shm-size'] ?? 0,
    ...unlessEmpty('Sysctls', toMap(flags.sysctl)),
    ...(flags.runtime === undefined || flags.runtime === '' ? {} : { Runtime: flags.runtime }),
    Isolation: flags.isolation ?? '',
    ...resourcesOf(flags, swappiness),
    ...(flags.mount.length === 0 ? {} : { Mounts: flags.mount }),
    MaskedPaths: security.paths,
    ReadonlyPaths: security.paths,
    ...(initGiven ? { Init: flags.init } : {}),
  }
}

function resourcesOf(flags: ContainerFlags, swappiness: number): object {
  const cdi = flags.device.filter(isCdiDevice)
  return {
    CpuShares: flags['cpu-shares'] ?? 0,
    Memory: flags.memory ?? 0,
    NanoCpus: flags.cpus ?? 0,
    CgroupParent: flags['cgroup-parent'] ?? '',
    BlkioWeight: flags['blkio-weight'] ?? 0,
    BlkioWeightDevice: flags['blkio-weight-device'],
    BlkioDeviceReadBps: flags['device-read-bps'],
    BlkioDeviceWriteBps: flags['device-write-bps'],
    BlkioDeviceReadIOps: flags['device-read-iops'],
    BlkioDeviceWriteIOps: flags['device-write-iops'],
    CpuPeriod: flags['cpu-period'] ?? 0,
    CpuQuota: flags['cpu-quota'] ?? 0,
    CpuRealtimePeriod: flags['cpu-rt-period'] ?? 0,
    CpuRealtimeRuntime: flags['cpu-rt-runtime'] ?? 0,
    CpusetCpus: flags['cpuset-cpus'] ?? '',
    CpusetMems: flags['cpuset-mems'] ?? '',
    Devices: readDevices(flags.device.filter((device) => !isCdiDevice(device))),
    DeviceCgroupRules: orNull(flags['device-cgroup-rule']),
    DeviceRequests: orNull([...flags.gpus, ...(cdi.length === 0 ? [] : [{ Driver: 'cdi', Count: 0, DeviceIDs: cdi, Capabilities: null, Options: null }])]),
    ...(flags['kernel-memory'] === undefined ? {} : { KernelMemory: flags['kernel-memory'] }),
    MemoryReservation: flags['memory-reservation'] ?? 0,
    MemorySwap: flags['memory-swap'] ?? 0,
    MemorySwappiness: swappiness,
    OomKillDisable: flags['oom-kill-disable'],
    PidsLimit: flags['pids-limit'] ?? 0,
    Ulimits: mergeUlimits(flags.ulimit),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  }
}

function oneOf(given: string | undefined, valid: readonly string[], failure: string): string {
  if (given === undefined || given === '') return ''
  if (!valid.includes(given)) throw new Error(failure)
  return given
}

function orNull<T>(items: readonly T[]): readonly T[] | null {
  return items.length === 0 ? null : items
}

function unlessEmpty(field: string, map: Record<string, string>): Record<string, unknown> {
  return Object.keys(map).length === 0 ? {} : { [field]: map }
}

function tmpfsEntry(given: string): [string, string] {
  const at = given.indexOf(':')
  return at === -1 ? [given, ''] : [given.slice(0, at), given.slice(at + 1)]
}
