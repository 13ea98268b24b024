import { statSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import type { OciDeviceRule, OciResources, OciThrottle } from '@engine/runtime'
import type { HostConfigView, ThrottleDevice } from '../../types/container-config.ts'

const cfsPeriod = 100_000

/** HostConfig's limits and device rules as the OCI spec has them. @throws EngineError when a device of an I/O limit is none */
export function resources(host: HostConfigView, devices: readonly OciDeviceRule[]): OciResources {
  return { devices, ...limits(host) }
}

/**
 * HostConfig's limits as the OCI spec has them. Fields that were not given stay out, so that the cgroup keeps its defaults.
 * @throws EngineError when a device of an I/O limit is none
 */
export function limits(host: HostConfigView): OciResources {
  const memory = given({
    limit: host.Memory || undefined,
    reservation: host.MemoryReservation || undefined,
    swap: host.MemorySwap || undefined,
    swappiness: host.MemorySwappiness ?? undefined,
    disableOOMKiller: host.OomKillDisable === true ? true : undefined,
  })
  const cpu = given({
    shares: host.CpuShares || undefined,
    quota: host.NanoCpus > 0 ? Math.floor((host.NanoCpus * cfsPeriod) / 1e9) : host.CpuQuota || undefined,
    period: host.NanoCpus > 0 ? cfsPeriod : host.CpuPeriod || undefined,
    realtimeRuntime: host.CpuRealtimeRuntime || undefined,
    realtimePeriod: host.CpuRealtimePeriod || undefined,
    cpus: host.CpusetCpus || undefined,
    mems: host.CpusetMems || undefined,
  })
  const blockIO = given({
    weight: host.BlkioWeight || undefined,
    weightDevice: list(host.BlkioWeightDevice, ({ Path, Weight }) => ({ ...deviceNumber(Path ?? ''), weight: Weight ?? 0 })),
    throttleReadBpsDevice: throttles(host.BlkioDeviceReadBps),
    throttleWriteBpsDevice: throttles(host.BlkioDeviceWriteBps),
    throttleReadIOPSDevice: throttles(host.BlkioDeviceReadIOps),
    throttleWriteIOPSDevice: throttles(host.BlkioDeviceWriteIOps),
  })
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(blockIO === undefined ? {} : { blockIO }),
    ...(host.PidsLimit === null || host.PidsLimit === 0 ? {} : { pids: { limit: host.PidsLimit < 0 ? -1 : host.PidsLimit } }),
  }
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** The fields that have a value; undefined when none has. */
function given<T extends object>(fields: T): Given<T> | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Given<T>)
}

function list<In, Out>(items: readonly In[] | null, convert: (item: In) => Out): readonly Out[] | undefined {
  return items === null || items.length === 0 ? undefined : items.map(convert)
}

function throttles(devices: readonly ThrottleDevice[] | null): readonly OciThrottle[] | undefined {
  return list(devices, ({ Path, Rate }) => ({ ...deviceNumber(Path ?? ''), rate: Rate ?? 0 }))
}

/** A device's numbers, by gnu_dev_major(3)'s rule for the 64-bit dev_t. */
export function splitDevice(device: number): { readonly major: number; readonly minor: number } {
  const bits = BigInt(device)
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & ~0xffn & 0xffff_ffffn)),
  }
}

function deviceNumber(path: string): { readonly major: number; readonly minor: number } {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new EngineError('invalid-argument', `stat ${path}: no such file or directory`)
  return splitDevice(stat.rdev)
}
