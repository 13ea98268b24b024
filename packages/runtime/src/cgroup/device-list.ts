import type { OciDeviceRule } from '../spec.ts'

/** An exception from a device list's default; `undefined` numbers stand for all. */
export interface DeviceException {
  readonly type: 'b' | 'c'
  readonly major: number | undefined
  readonly minor: number | undefined
  /** Some of `r`, `w`, `m`, in this order. */
  readonly access: string
}

/** What a cgroup may do with devices, as the v1 kernel keeps it (security/device_cgroup.c): a default, and exceptions from it. */
export interface DeviceList {
  readonly allow: boolean
  readonly exceptions: readonly DeviceException[]
}

/**
 * Works OCI rules off in their order to what is allowed in the end, exactly as v1 does for writes into devices.allow and devices.deny,
 * so that v1 files and v2 programs mean the same.
 * A rule for all devices (type `a` or none) sets the default and forgets everything before it.
 */
export function deviceList(rules: readonly OciDeviceRule[]): DeviceList {
  let allow = true
  const exceptions = new Map<string, DeviceException>()
  for (const rule of rules) {
    if (isForAll(rule)) {
      allow = rule.allow
      exceptions.clear()
      continue
    }
    const types = rule.type === 'b' || rule.type === 'c' ? [rule.type] : (['b', 'c'] as const)
    for (const type of types) {
      const { major, minor } = { major: number(rule.major), minor: number(rule.minor) }
      const key = `${type} ${major ?? '*'}:${minor ?? '*'}`
      const before = exceptions.get(key)?.access ?? ''
      const access = [...'rwm'].filter((letter) => (rule.allow === allow ? before.includes(letter) && !rule.access.includes(letter) : before.includes(letter) || rule.access.includes(letter))).join('')
      if (access === '') exceptions.delete(key)
      else exceptions.set(key, { type, major, minor, access })
    }
  }
  return { allow, exceptions: [...exceptions.values()] }
}

function isForAll({ type, major, minor }: OciDeviceRule): boolean {
  return (type === undefined || type === 'a') && number(major) === undefined && number(minor) === undefined
}

/** -1 is another way to write `*`. */
function number(value: number | undefined): number | undefined {
  return value === undefined || value < 0 ? undefined : value
}

/** An exception as v1 writes it: `c 1:3 rwm`. */
export function shownException({ type, major, minor, access }: DeviceException): string {
  return `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`
}

/** Reads what v1's devices.list says. */
export function parseDeviceList(content: string): DeviceList {
  const exceptions: DeviceException[] = []
  for (const line of content.split('\n')) {
    const [type, numbers, access] = line.split(' ')
    if (type === 'a') return { allow: true, exceptions: [] }
    if ((type !== 'b' && type !== 'c') || numbers === undefined || access === undefined) continue
    const [major, minor] = numbers.split(':').map((text) => (text === '*' ? undefined : Number(text)))
    exceptions.push({ type, major, minor, access })
  }
  return { allow: false, exceptions }
}
