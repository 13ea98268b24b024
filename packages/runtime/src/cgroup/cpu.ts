import { dirname } from 'node:path'
import { Errno, failedWith } from '@engine/linux'
import type { OciResources } from '../spec.ts'
import { readControl, writeControl, writeControlIfThere } from './control-file.ts'
import type { Place } from './hierarchy.ts'

type Cpu = NonNullable<OciResources['cpu']>

const noShares = 'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.'
const noQuota = 'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.'
const noRealtime = 'Your kernel does not support CPU real-time scheduler. CPU real-time period/runtime discarded.'
const noCpuset = 'Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.'

/** Sets shares (weight), quota and real-time budget of processor time. */
export function applyCpu(place: Place | undefined, cpu: Cpu | undefined, warnings: string[]): void {
  if (cpu === undefined) return
  if (cpu.shares !== undefined && cpu.shares !== 0) {
    const done =
      place !== undefined &&
      (place.version === 1
        ? writeControlIfThere(`${place.directory}/cpu.shares`, String(cpu.shares))
        : writeControlIfThere(`${place.directory}/cpu.weight`, String(weightOfShares(cpu.shares))))
    if (!done) warnings.push(noShares)
  }
  if (cpu.quota !== undefined || cpu.period !== undefined) {
    if (place === undefined || !applyQuota(place, cpu.quota, cpu.period)) warnings.push(noQuota)
  }
  if (cpu.realtimePeriod !== undefined || cpu.realtimeRuntime !== undefined) {
    if (place === undefined || !applyRealtime(place, cpu.realtimePeriod, cpu.realtimeRuntime)) warnings.push(noRealtime)
  }
}

/** 0 leaves a value as it is, as in Docker's API. */
function applyQuota({ version, directory }: Place, quota = 0, period = 0): boolean {
  if (quota === 0 && period === 0) return true
  if (version === 2) {
    // The quota must be named when only the period changes, and `max` is only right when none is set.
    const current = quota === 0 ? readControl(`${directory}/cpu.max`)?.split(' ')[0] : undefined
    const shown = quota === 0 ? (current ?? 'max') : quota < 0 ? 'max' : String(quota)
    return writeControlIfThere(`${directory}/cpu.max`, period === 0 ? shown : `${shown} ${period}`)
  }
  const setPeriod = (): boolean => period === 0 || writeControlIfThere(`${directory}/cpu.cfs_period_us`, String(period))
  const setQuota = (): boolean => quota === 0 || writeControlIfThere(`${directory}/cpu.cfs_quota_us`, String(quota))
  try {
    return setPeriod() && setQuota()
  } catch (error) {
    // A shorter period with the old quota may be more than the parent has, where the new quota first is not.
    if (quota === 0 || !failedWith(error, Errno.EINVAL)) throw error
    return setQuota() && setPeriod()
  }
}

/** Real-time scheduling has no counterpart in v2. */
function applyRealtime({ version, directory }: Place, period = 0, runtime = 0): boolean {
  if (version === 2) return false
  if (period !== 0 && !writeControlIfThere(`${directory}/cpu.rt_period_us`, String(period))) return false
  return runtime === 0 || writeControlIfThere(`${directory}/cpu.rt_runtime_us`, String(runtime))
}

/** Binds to processors and memory nodes. */
export function applyCpuset(place: Place | undefined, cpu: Cpu | undefined, warnings: string[]): void {
  for (const [file, value] of [['cpuset.cpus', cpu?.cpus], ['cpuset.mems', cpu?.mems]] as const) {
    if (value === undefined || value === '') continue
    if (place === undefined || !writeControlIfThere(`${place.directory}/${file}`, value)) {
      if (!warnings.includes(noCpuset)) warnings.push(noCpuset)
    }
  }
}

/**
 * v1: a new cpuset is empty, and no process can join it before it has processors and memory nodes. Takes the parent's where there are none.
 * @param directory of a cgroup in the cpuset hierarchy, whose parent has been through this
 */
export function inheritCpuset(directory: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readControl(`${directory}/${file}`) !== '') continue
    const above = readControl(`${dirname(directory)}/${file}`)
    if (above !== undefined && above !== '') writeControl(`${directory}/${file}`, above)
  }
}

/**
 * The v2 weight (1 to 10,000, default 100) of v1 shares (2 to 262,144, default 1,024). The curve maps the three points onto each other,
 * which the linear rule of older runtimes (1,024 → 39) does not; it is the one of opencontainers/cgroups (2025) and crun.
 */
export function weightOfShares(shares: number): number {
  if (shares <= 2) return 1
  if (shares >= 262_144) return 10_000
  const log = Math.log2(shares)
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))
}
