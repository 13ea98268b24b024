import { globSync } from 'node:fs'
import { posix } from 'node:path'

export interface DeviceMapping {
  readonly PathOnHost: string
  readonly PathInContainer: string
  readonly CgroupPermissions: string
}

/** Reads `--device`s: `host[:container][:rwm]`, the host's path may be a pattern. @throws Error with docker's text */
export function readDevices(given: readonly string[]): DeviceMapping[] {
  return given.flatMap(readDevice)
}

function readDevice(given: string): DeviceMapping[] {
  const parts = given.split(':')
  const [host = '', second, third] = parts
  if (parts.length > 3 || host === '') throw new Error(`bad format for path: ${given}`)
  if (third !== undefined && !isMode(third)) throw new Error(`bad mode specified: ${third}`)
  const modeOnly = parts.length === 2 && second !== undefined && isMode(second)
  const container = second === undefined || modeOnly ? undefined : second
  if (!posix.isAbsolute(container ?? host)) throw new Error(`${container ?? host} is not an absolute path`)
  const CgroupPermissions = third ?? (modeOnly ? second : 'rwm')
  if (!host.endsWith('*')) {
    const target = container === undefined ? posix.normalize(host) : parts.length === 2 ? posix.normalize(container) : container
    return [{ PathOnHost: container === undefined ? target : host, PathInContainer: target, CgroupPermissions }]
  }
  if (container !== undefined) throw new Error(`device with * suffix can't have dst: ${given}`)
  return globSync(host).sort().map((path) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions }))
}

/** Whether the text is some of r, w and m, each at most once. */
function isMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length
}

/** Checks one `--device-cgroup-rule`: `type major:minor access`. @throws Error with docker's text */
export function readCgroupRule(given: string): string {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(given)) throw new Error(`invalid device cgroup format '${given}'`)
  return given
}

/** Whether a `--device` names a device of the Container Device Interface (`vendor.com/class=name`), which the daemon resolves. */
export function isCdiDevice(given: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_.-]*\/[A-Za-z][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$/.test(given)
}
