import { totalmem } from 'node:os'
import { readFileSync } from 'node:fs'
import { parseFlat, readControl } from './control-file.ts'
import { cgroupLayout, type Place } from './hierarchy.ts'

/** One line of block I/O figures; `op` is `Read`, `Write` … on v1, `read` and `write` on v2. */
export interface BlkioEntry {
  readonly major: number
  readonly minor: number
  readonly op: string
  readonly value: number
}

/**
 * A cgroup's figures in the shape and units of Docker's GET /containers/{id}/stats. Numbers above 2^53 (v1's word for no limit) are
 * the nearest that JavaScript has.
 */
export interface CgroupStats {
  readonly pids_stats: { readonly current?: number; readonly limit?: number }
  readonly blkio_stats: Readonly<Record<BlkioField, readonly BlkioEntry[] | null>>
  readonly cpu_stats: {
    /** Nanoseconds. */
    readonly cpu_usage: { readonly total_usage: number; readonly percpu_usage?: readonly number[]; readonly usage_in_kernelmode: number; readonly usage_in_usermode: number }
    /** Nanoseconds that the whole machine has computed. */
    readonly system_cpu_usage: number
    readonly online_cpus: number
    readonly throttling_data: { readonly periods: number; readonly throttled_periods: number; readonly throttled_time: number }
  }
  /** Bytes. */
  readonly memory_stats: {
    readonly usage?: number
    readonly max_usage?: number
    readonly stats?: Readonly<Record<string, number>>
    readonly failcnt?: number
    readonly limit?: number
  }
}

/** Figures of a cgroup that is not there. */
export const noStats = {
  pids_stats: {},
  blkio_stats: unifiedIo(undefined),
  cpu_stats: { cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 }, throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 } },
  memory_stats: {},
} as const

type BlkioField =
  | 'io_service_bytes_recursive'
  | 'io_serviced_recursive'
  | 'io_queue_recursive'
  | 'io_service_time_recursive'
  | 'io_wait_time_recursive'
  | 'io_merged_recursive'
  | 'io_time_recursive'
  | 'sectors_recursive'

/** Clock ticks a second in /proc/stat and cpuacct.stat; USER_HZ, the same on every architecture Node runs on. */
const nanosecondsPerTick = 10_000_000

/** Reads a cgroup's figures; those of controllers that the kernel has not, or of a cgroup that is gone, are missing or 0. */
export function stats(path: string): CgroupStats {
  const layout = cgroupLayout()
  const procStat = readFileSync('/proc/stat', 'latin1')
  return {
    pids_stats: pidsStats(layout.place('pids', path)),
    blkio_stats: blkioStats(layout.place('io', path)),
    cpu_stats: {
      cpu_usage: cpuUsage(layout.place('cpuacct', path)),
      system_cpu_usage: systemCpuUsage(procStat),
      online_cpus: procStat.match(/^cpu[0-9]/gm)?.length ?? 0,
      throttling_data: throttling(layout.place('cpu', path)),
    },
    memory_stats: memoryStats(layout.place('memory', path)),
  }
}

function pidsStats(place: Place | undefined): CgroupStats['pids_stats'] {
  const current = place && number(`${place.directory}/pids.current`)
  const limit = place && number(`${place.directory}/pids.max`)
  return { ...(current === undefined ? {} : { current }), ...(limit === undefined ? {} : { limit }) }
}

function cpuUsage(place: Place | undefined): CgroupStats['cpu_stats']['cpu_usage'] {
  if (place?.version === 1) {
    const modes = parseFlat(readControl(`${place.directory}/cpuacct.stat`))
    return {
      total_usage: number(`${place.directory}/cpuacct.usage`) ?? 0,
      percpu_usage: (readControl(`${place.directory}/cpuacct.usage_percpu`) ?? '').split(' ').filter((text) => text !== '').map(Number),
      usage_in_kernelmode: (modes.get('system') ?? 0) * nanosecondsPerTick,
      usage_in_usermode: (modes.get('user') ?? 0) * nanosecondsPerTick,
    }
  }
  const values = parseFlat(place && readControl(`${place.directory}/cpu.stat`))
  const nanoseconds = (name: string): number => (values.get(name) ?? 0) * 1000
  return { total_usage: nanoseconds('usage_usec'), usage_in_kernelmode: nanoseconds('system_usec'), usage_in_usermode: nanoseconds('user_usec') }
}

function throttling(place: Place | undefined): CgroupStats['cpu_stats']['throttling_data'] {
  const values = parseFlat(place && readControl(`${place.directory}/cpu.stat`))
  return {
    periods: values.get('nr_periods') ?? 0,
    throttled_periods: values.get('nr_throttled') ?? 0,
    throttled_time: values.get('throttled_time') ?? (values.get('throttled_usec') ?? 0) * 1000,
  }
}

/** The first line of /proc/stat, user to steal; guest time is part of user time. */
export function systemCpuUsage(procStat: string): number {
  const [, ...ticks] = (procStat.split('\n')[0] ?? '').split(/\s+/)
  return ticks.slice(0, 7).reduce((sum, text) => sum + Number(text), 0) * nanosecondsPerTick
}

function memoryStats(place: Place | undefined): CgroupStats['memory_stats'] {
  if (place === undefined) return {}
  const v1 = place.version === 1
  const usage = number(`${place.directory}/${v1 ? 'memory.usage_in_bytes' : 'memory.current'}`)
  if (usage === undefined) return {}
  const stat = parseFlat(readControl(`${place.directory}/memory.stat`))
  const limit = number(`${place.directory}/${v1 ? 'memory.limit_in_bytes' : 'memory.max'}`) ?? Number.POSITIVE_INFINITY
  const peak = v1 ? number(`${place.directory}/memory.max_usage_in_bytes`) : undefined
  const failures = v1 ? number(`${place.directory}/memory.failcnt`) : parseFlat(readControl(`${place.directory}/memory.events`)).get('oom')
  return {
    usage,
    ...(peak === undefined ? {} : { max_usage: peak }),
    stats: Object.fromEntries([...stat].filter(([name]) => !v1 || v1Fields.has(name))),
    ...(failures === undefined || failures === 0 ? {} : { failcnt: failures }),
    limit: Math.min(limit, totalmem()),
  }
}

const v1Counters = 'active_anon active_file cache dirty inactive_anon inactive_file mapped_file pgfault pgmajfault pgpgin pgpgout rss rss_huge unevictable writeback'.split(' ')
/** Those of v1's memory.stat that Docker passes on. */
const v1Fields: ReadonlySet<string> = new Set(['hierarchical_memory_limit', 'hierarchical_memsw_limit', ...v1Counters, ...v1Counters.map((name) => `total_${name}`)])

function blkioStats(place: Place | undefined): CgroupStats['blkio_stats'] {
  if (place?.version === 2) return unifiedIo(readControl(`${place.directory}/io.stat`))
  const read = (...files: string[]): BlkioEntry[] => {
    for (const file of files) {
      const content = place && readControl(`${place.directory}/${file}`)
      if (content !== undefined) return parseBlkio(content)
    }
    return []
  }
  // The files of the CFQ scheduler, gone since Linux 5.0, then those of what counts now.
  return {
    io_service_bytes_recursive: read('blkio.io_service_bytes_recursive', 'blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_service_bytes'),
    io_serviced_recursive: read('blkio.io_serviced_recursive', 'blkio.throttle.io_serviced_recursive', 'blkio.throttle.io_serviced'),
    io_queue_recursive: read('blkio.io_queued_recursive'),
    io_service_time_recursive: read('blkio.io_service_time_recursive'),
    io_wait_time_recursive: read('blkio.io_wait_time_recursive'),
    io_merged_recursive: read('blkio.io_merged_recursive'),
    io_time_recursive: read('blkio.time_recursive'),
    sectors_recursive: read('blkio.sectors_recursive'),
  }
}

/** Lines of `8:0 Read 4096`, or `8:0 4096`; the sum at the end has no device. */
export function parseBlkio(content: string): BlkioEntry[] {
  return content.split('\n').flatMap((line) => {
    const fields = /^(\d+):(\d+)(?: ([A-Za-z]+))? (\d+)$/.exec(line)
    if (fields === null) return []
    const [, major, minor, op = '', value] = fields
    return [{ major: Number(major), minor: Number(minor), op, value: Number(value) }]
  })
}

/** Lines of `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …`. */
export function unifiedIo(content: string | undefined): CgroupStats['blkio_stats'] {
  const bytes: BlkioEntry[] = []
  const operations: BlkioEntry[] = []
  for (const line of content?.split('\n') ?? []) {
    const [device = '', ...pairs] = line.split(' ')
    const [major = 0, minor = 0] = device.split(':').map(Number)
    const values = new Map(pairs.map((pair) => pair.split('=') as [string, string]))
    if (!values.has('rbytes')) continue
    for (const [list, op, key] of [[bytes, 'read', 'rbytes'], [bytes, 'write', 'wbytes'], [operations, 'read', 'rios'], [operations, 'write', 'wios']] as const) {
      list.push({ major, minor, op, value: Number(values.get(key) ?? 0) })
    }
  }
  return {
    io_service_bytes_recursive: bytes.length === 0 ? null : bytes,
    io_serviced_recursive: operations.length === 0 ? null : operations,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  }
}

/** A file with one number; undefined for `max` and for a file that is not there. */
function number(file: string): number | undefined {
  const content = readControl(file)
  return content === undefined || content === 'max' ? undefined : Number(content)
}
