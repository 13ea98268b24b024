import { existsSync, readdirSync } from 'node:fs'

let masked: readonly string[] | undefined

/** Paths that a container sees as empty, because they tell of the host or let it be harmed; Docker's list. */
export function defaultMaskedPaths(): readonly string[] {
  masked ??= [
    '/proc/asound',
    '/proc/acpi',
    // Keystroke timing and other side channels, GHSA-6fw5-f8r9-fgfm.
    '/proc/interrupts',
    '/proc/kcore',
    '/proc/keys',
    '/proc/latency_stats',
    '/proc/timer_list',
    '/proc/timer_stats',
    '/proc/sched_debug',
    '/proc/scsi',
    '/sys/firmware',
    // Power consumption gives keys away (PLATYPUS), GHSA-jq35-85cj-fj4p.
    '/sys/devices/virtual/powercap',
    ...thermalThrottlePaths('/sys/devices/system/cpu'),
  ]
  return masked
}

/** One directory for each processor that counts its throttling, on Intel's. */
export function thermalThrottlePaths(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /^cpu[0-9]+$/.test(name))
    .sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)))
    .map((name) => `${directory}/${name}/thermal_throttle`)
    .filter((path) => existsSync(path))
}

/** Paths that a container sees read-only. */
export const defaultReadonlyPaths: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** The program search path of a container whose image names none. */
export const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Sysctls that Docker sets in every network namespace of a container's own: low ports and ICMP sockets without capabilities.
 * @param userNamespace ping_group_range cannot be written for groups that a user namespace does not map
 */
export function defaultSysctls(userNamespace: boolean): Record<string, string> {
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    ...(userNamespace ? {} : { 'net.ipv4.ping_group_range': '0 2147483647' }),
  }
}
