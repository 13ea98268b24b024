import { lstatSync, readdirSync, realpathSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '@engine/linux'
import { defaultDeviceRules, privilegedDeviceRules, type OciDevice, type OciDeviceRule } from '@engine/runtime'
import { isCdiRequest } from '../../cdi/inject.ts'
import type { DeviceMapping, HostConfigView } from '../../types/container-config.ts'
import { splitDevice } from './resources.ts'

export interface ContainerDevices {
  readonly devices: readonly OciDevice[]
  readonly rules: readonly OciDeviceRule[]
}

/**
 * Device nodes and the cgroup's rules for a container: the host's devices all together for a privileged one, else those that
 * were asked for.
 * @throws EngineError in Docker's words
 */
export function containerDevices(host: HostConfigView): ContainerDevices {
  const request = host.DeviceRequests?.find((one) => !isCdiRequest(one))
  if (request !== undefined) {
    const wanted = (request.Capabilities ?? []).map((all) => `[${all.join(' ')}]`).join(' ')
    throw new EngineError('internal', `could not select device driver ${JSON.stringify(request.Driver ?? '')} with capabilities: [${wanted}]`)
  }
  const extra = (host.DeviceCgroupRules ?? []).map(parseDeviceRule)
  if (host.Privileged) return { devices: hostDevices(), rules: [...privilegedDeviceRules, ...extra] }
  const mapped = (host.Devices ?? []).map(mapDevice)
  return { devices: mapped.flatMap(({ devices }) => devices), rules: [...defaultDeviceRules, ...extra, ...mapped.flatMap(({ rules }) => rules)] }
}

/** `c 13:* rwm`. @throws EngineError `invalid device cgroup rule format` */
export function parseDeviceRule(rule: string): OciDeviceRule {
  const match = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(rule)
  if (match === null) throw new EngineError('invalid-argument', `invalid device cgroup rule format: '${rule}'`)
  const [, type, major, minor, access = ''] = match
  return {
    allow: true,
    type: type as 'a' | 'b' | 'c',
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  }
}

/** One device, or all those in a directory. A link on the host is followed, as `--device /dev/disk/by-id/…` wants it. */
function mapDevice(mapping: DeviceMapping): ContainerDevices {
  const source = mapping.PathOnHost ?? ''
  const target = mapping.PathInContainer || source
  const access = mapping.CgroupPermissions || 'rwm'
  const failed = (reason: string): EngineError => new EngineError('internal', `error gathering device information while adding custom device ${JSON.stringify(source)}: ${reason}`)
  let real: string
  try {
    real = realpathSync(source)
  } catch (cause) {
    throw failed(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' ? 'no such file or directory' : String(cause))
  }
  const stat = lstatSync(real)
  const found = stat.isDirectory() ? devicesIn(real, target) : [deviceNode(stat, target)].filter((device) => device !== undefined)
  if (found.length === 0) throw failed('not a device node')
  return {
    devices: found,
    rules: found.map(({ type, major, minor }) => ({ allow: true, type: type === 'b' ? 'b' : 'c', major, minor, access })),
  }
}

/** What runc leaves out: file systems of the container's own, and what is no device of the host. */
const notDevices = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console'])

function hostDevices(): readonly OciDevice[] {
  return devicesIn('/dev', '/dev', notDevices)
}

function devicesIn(directory: string, target: string, except: ReadonlySet<string> = new Set()): OciDevice[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (except.has(entry.name)) return []
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return devicesIn(path, join(target, entry.name))
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return []
    const stat = lstatSync(path, { throwIfNoEntry: false })
    return stat === undefined ? [] : [deviceNode(stat, join(target, entry.name))].filter((device) => device !== undefined)
  })
}

function deviceNode(stat: Stats, path: string): OciDevice | undefined {
  const type = stat.isCharacterDevice() ? 'c' : stat.isBlockDevice() ? 'b' : undefined
  if (type === undefined) return undefined
  return { path, type, ...splitDevice(stat.rdev), fileMode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid }
}
