import * as z from 'zod'

const count = z.number().nonnegative()
const entries = z.array(z.object({ major: count, minor: count, op: z.string(), value: count })).nullable()

const CpuStats = z.object({
  cpu_usage: z.object({ total_usage: count, percpu_usage: z.array(count).optional(), usage_in_kernelmode: count, usage_in_usermode: count }),
  system_cpu_usage: count.optional(),
  online_cpus: count.optional(),
  throttling_data: z.object({ periods: count, throttled_periods: count, throttled_time: count }),
})

const NetworkStats = z.object({
  rx_bytes: count, rx_packets: count, rx_errors: count, rx_dropped: count, tx_bytes: count, tx_packets: count, tx_errors: count, tx_dropped: count,
})

/** GET /containers/{id}/stats, one sample of it. Name and id are left out of a one-shot answer, as Docker leaves them out. */
export const ContainerStatsResponse = z.object({
  name: z.string().optional(),
  id: z.string().optional(),
  read: z.string(),
  preread: z.string(),
  pids_stats: z.object({ current: count.optional(), limit: count.optional() }),
  blkio_stats: z.object({
    io_service_bytes_recursive: entries,
    io_serviced_recursive: entries,
    io_queue_recursive: entries,
    io_service_time_recursive: entries,
    io_wait_time_recursive: entries,
    io_merged_recursive: entries,
    io_time_recursive: entries,
    sectors_recursive: entries,
  }),
  num_procs: count,
  storage_stats: z.object({}),
  cpu_stats: CpuStats,
  precpu_stats: CpuStats,
  memory_stats: z.object({
    usage: count.optional(),
    max_usage: count.optional(),
    stats: z.record(z.string(), count).optional(),
    failcnt: count.optional(),
    limit: count.optional(),
  }),
  networks: z.record(z.string(), NetworkStats).optional(),
})

export type ContainerStatsResponse = z.infer<typeof ContainerStatsResponse>
