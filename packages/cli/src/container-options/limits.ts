import { readBytes, readInteger } from '../arguments/sizes.ts'
import { cut } from '../arguments/csv.ts'

export interface Ulimit {
  readonly Name: string
  readonly Hard: number
  readonly Soft: number
}

const ulimits = new Set([
  'as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack',
])

/** Reads one `--ulimit`: `name=soft[:hard]`, -1 for none. @throws Error with docker's text */
export function readUlimit(given: string): Ulimit {
  const [name, limits] = cut(given)
  if (limits === undefined) throw new Error(`invalid ulimit argument: ${given}`)
  if (!ulimits.has(name)) throw new Error(`invalid ulimit type: ${name}`)
  const [first, second, more] = limits.split(':')
  if (more !== undefined) throw new Error(`too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``)
  const Soft = readInteger(first ?? '')
  const Hard = second === undefined ? Soft : readInteger(second)
  if (Hard !== -1 && (Soft === -1 || Soft > Hard)) throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`)
  return { Name: name, Hard, Soft }
}

/** The last limit of each name, sorted by name, as docker sends them. */
export function mergeUlimits(limits: readonly Ulimit[]): Ulimit[] {
  const byName = new Map(limits.map((limit) => [limit.Name, limit]))
  return [...byName.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1))
}

/** Reads `--blkio-weight-device`: `path:weight`. @throws Error with docker's text */
export function readWeightDevice(given: string): { Path: string; Weight: number } {
  const [Path, weight] = devicePair(given)
  const Weight = Number(weight)
  if (!/^[0-9]+$/.test(weight) || (Weight > 0 && (Weight < 10 || Weight > 1000))) throw new Error(`invalid weight for device: ${given}`)
  return { Path, Weight }
}

/** Reads `--device-read-bps` and its like: `path:rate`, the rate in bytes. @throws Error with docker's text */
export function readBytesRate(given: string): { Path: string; Rate: number } {
  const [Path, rate] = devicePair(given)
  try {
    return { Path, Rate: readBytes(rate) }
  } catch {
    throw new Error(`invalid rate for device: ${given}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`)
  }
}

/** Reads `--device-read-iops` and its like: `path:count`. @throws Error with docker's text */
export function readCountRate(given: string): { Path: string; Rate: number } {
  const [Path, rate] = devicePair(given)
  if (!/^[0-9]+$/.test(rate)) {
    throw new Error(`invalid rate for device: ${given}. The correct format is <device-path>:<number>. Number must be a positive integer`)
  }
  return { Path, Rate: Number(rate) }
}

function devicePair(given: string): [string, string] {
  const [path, rest] = cut(given, ':')
  if (rest === undefined || path === '') throw new Error(`bad format: ${given}`)
  if (!path.startsWith('/dev/')) throw new Error(`bad format for device path: ${given}`)
  return [path, rest]
}
