import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cgroupLayout, cgroupVersion, type Controller } from '@engine/runtime'

/** Which limits this kernel can set, as far as containers can ask for them; Docker's `sysinfo`. */
export interface KernelLimits {
  readonly cgroupVersion: 1 | 2
  readonly memory: boolean
  readonly swap: boolean
  readonly memoryReservation: boolean
  readonly swappiness: boolean
  /** Memory of TCP buffers by a limit of its own, which only v1 has. */
  readonly kernelMemoryTcp: boolean
  readonly oomKillDisable: boolean
  readonly cpuShares: boolean
  readonly cpuCfs: boolean
  readonly cpuRealtime: boolean
  readonly cpuset: boolean
  /** Lists as the kernel writes them: `0-3,8`. */
  readonly cpus: string
  readonly mems: string
  readonly pids: boolean
  readonly blkioWeight: boolean
  readonly blkioThrottle: boolean
}

let detected: KernelLimits | undefined

/** Read once; what is mounted stays mounted while anything uses it. */
export function kernelLimits(): KernelLimits {
  detected ??= detect()
  return detected
}

function detect(): KernelLimits {
  const has = (controller: Controller, v1File: string, v2: boolean): boolean => {
    const place = cgroupLayout().place(controller, '')
    if (place === undefined) return false
    return place.version === 1 ? existsSync(join(place.directory, v1File)) : v2
  }
  return {
    cgroupVersion: cgroupVersion(),
    memory: has('memory', 'memory.limit_in_bytes', true),
    // The root group of v2 has no files to look at; swap accounting is there unless it was turned off on the kernel's command line.
    swap: has('memory', 'memory.memsw.limit_in_bytes', !kernelCommandLine().includes('swapaccount=0')),
    memoryReservation: has('memory', 'memory.soft_limit_in_bytes', true),
    swappiness: has('memory', 'memory.swappiness', false),
    kernelMemoryTcp: has('memory', 'memory.kmem.tcp.limit_in_bytes', false),
    oomKillDisable: has('memory', 'memory.oom_control', false),
    cpuShares: has('cpu', 'cpu.shares', true),
    cpuCfs: has('cpu', 'cpu.cfs_quota_us', true),
    cpuRealtime: has('cpu', 'cpu.rt_runtime_us', false),
    cpuset: cgroupLayout().hierarchyOf('cpuset') !== undefined,
    cpus: read('/sys/devices/system/cpu/online'),
    mems: read('/sys/devices/system/node/online') || '0',
    pids: cgroupLayout().hierarchyOf('pids') !== undefined,
    blkioWeight: has('io', 'blkio.weight', existsSync('/sys/module/bfq')),
    blkioThrottle: has('io', 'blkio.throttle.read_bps_device', true),
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

const kernelCommandLine = (): string => read('/proc/cmdline')

/** The highest number of a processor or memory node that is allowed for: more than any kernel has (moby: parsers.ParseUintListMaximum). */
export const maximumMember = 8192

/**
 * The members of a kernel list: `0-2,7` → {0, 1, 2, 7}; undefined when it is none.
 * Numbers above the maximum are refused, so that a client cannot ask for a list as long as memory.
 */
export function parseList(list: string): ReadonlySet<number> | undefined {
  const members = new Set<number>()
  if (list === '') return members
  for (const part of list.split(',')) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part.trim())
    if (match === null) return undefined
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (last < first || last > maximumMember) return undefined
    for (let i = first; i <= last; i++) members.add(i)
  }
  return members
}
