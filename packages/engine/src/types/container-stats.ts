import type { CgroupStats } from '@engine/runtime'

/** What a link has carried, in the words of `ip -s link`. */
export interface NetworkStats {
  readonly rx_bytes: number
  readonly rx_packets: number
  readonly rx_errors: number
  readonly rx_dropped: number
  readonly tx_bytes: number
  readonly tx_packets: number
  readonly tx_errors: number
  readonly tx_dropped: number
}

/** Processor time, before a first sample without the machine's. */
export type CpuStats = Omit<CgroupStats['cpu_stats'], 'system_cpu_usage' | 'online_cpus'> & Partial<Pick<CgroupStats['cpu_stats'], 'system_cpu_usage' | 'online_cpus'>>

/** One sample of GET /containers/{id}/stats. */
export interface ContainerStats {
  readonly name?: string
  readonly id?: string
  readonly read: string
  readonly preread: string
  readonly pids_stats: CgroupStats['pids_stats']
  readonly blkio_stats: CgroupStats['blkio_stats']
  /** Of Windows, as storage_stats is; always 0. */
  readonly num_procs: number
  readonly storage_stats: Readonly<Record<string, never>>
  readonly cpu_stats: CpuStats
  /** The sample before. */
  readonly precpu_stats: CpuStats
  readonly memory_stats: CgroupStats['memory_stats']
  /** By the link's name inside; left out where there is none. */
  readonly networks?: Readonly<Record<string, NetworkStats>>
}
