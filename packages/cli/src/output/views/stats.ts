import { shortId } from '../../arguments/image-reference.ts'
import type { View } from '../format.ts'
import { binarySize, humanSize } from '../human.ts'

interface Cpu {
  readonly cpu_usage: { readonly total_usage: number; readonly percpu_usage?: readonly number[] | null }
  readonly system_cpu_usage?: number
  readonly online_cpus?: number
}

/** One line of GET /containers/{id}/stats, as far as it is shown. */
export interface StatsSample {
  readonly id?: string
  readonly name?: string
  readonly cpu_stats: Cpu
  readonly precpu_stats: Cpu
  readonly memory_stats: { readonly usage?: number; readonly limit?: number; readonly stats?: Readonly<Record<string, number>> }
  readonly blkio_stats: { readonly io_service_bytes_recursive?: readonly { readonly op: string; readonly value: number }[] | null }
  readonly networks?: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>>
  readonly pids_stats: { readonly current?: number }
}

/** A line of `engine stats`: the container as it was named, and its last sample, when there is one. */
export interface StatsRow {
  readonly container: string
  readonly sample?: StatsSample | undefined
}

const none = '--'

export const statsView: View<StatsRow> = {
  type: '*container.statsContext',
  quiet: 'ID',
  table: ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'],
  headers: {
    BlockIO: 'BLOCK I/O', CPUPerc: 'CPU %', Container: 'CONTAINER', ID: 'CONTAINER ID', MemPerc: 'MEM %', MemUsage: 'MEM USAGE / LIMIT', Name: 'NAME', NetIO: 'NET I/O', PIDs: 'PIDS',
  },
  members: ({ container, sample }, truncate) => {
    const shown = (show: (sample: StatsSample) => string): (() => string) => () => (sample === undefined ? none : show(sample))
    return {
      BlockIO: shown((it) => `${humanSize(blocks(it, 'r'))} / ${humanSize(blocks(it, 'w'))}`),
      CPUPerc: shown((it) => percent(cpuShare(it))),
      Container: container,
      ID: shown(({ id = '' }) => (truncate ? shortId(id) : id)),
      MemPerc: shown((it) => percent(memoryShare(it))),
      MemUsage: () => (sample === undefined ? '-- / --' : `${binarySize(memoryUsed(sample))} / ${binarySize(sample.memory_stats.limit ?? 0)}`),
      Name: shown(({ name = '' }) => name.replace(/^\//, '') || none),
      NetIO: shown((it) => `${humanSize(carried(it, 'rx_bytes'))} / ${humanSize(carried(it, 'tx_bytes'))}`),
      PIDs: shown(({ pids_stats }) => String(pids_stats.current ?? 0)),
    }
  },
}

/** Share of one processor since the sample before, 1 for a whole one. */
export function cpuShare({ cpu_stats: cpu, precpu_stats: before }: StatsSample): number {
  const used = cpu.cpu_usage.total_usage - before.cpu_usage.total_usage
  const passed = (cpu.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0)
  const processors = cpu.online_cpus || (cpu.cpu_usage.percpu_usage?.length ?? 0)
  return used > 0 && passed > 0 ? (used / passed) * processors : 0
}

/** Bytes in use without what the kernel would drop first: clean pages of files (`total_inactive_file` on cgroup v1, `inactive_file` on v2). */
export function memoryUsed({ memory_stats: { usage = 0, stats } }: StatsSample): number {
  const cached = stats?.['total_inactive_file'] ?? stats?.['inactive_file'] ?? 0
  return cached < usage ? usage - cached : usage
}

function memoryShare(sample: StatsSample): number {
  const { limit = 0 } = sample.memory_stats
  return limit === 0 ? 0 : memoryUsed(sample) / limit
}

function blocks({ blkio_stats }: StatsSample, letter: 'r' | 'w'): number {
  return (blkio_stats.io_service_bytes_recursive ?? []).filter(({ op }) => op.toLowerCase().startsWith(letter)).reduce((sum, { value }) => sum + value, 0)
}

function carried({ networks }: StatsSample, field: 'rx_bytes' | 'tx_bytes'): number {
  return Object.values(networks ?? {}).reduce((sum, link) => sum + link[field], 0)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`
}
