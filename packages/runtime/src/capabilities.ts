import { readFileSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import type { OciCapabilities } from './spec.ts'

/** Names in the kernel's order (linux/capability.h): a name's place is its number. */
export const capabilityNames = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const

/** The 14 that Docker gives every container, in its order. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
]

const numbers = new Map<string, number>(capabilityNames.map((name, number) => [name, number]))

/** A capability's number, `CAP_NET_RAW` → 13. @throws EngineError invalid-argument for a name that Linux has not */
export function capabilityNumber(name: string): number {
  const number = numbers.get(name)
  if (number === undefined) throw new EngineError('invalid-argument', `unknown capability: ${JSON.stringify(name)}`)
  return number
}

let last: number | undefined

/** The highest capability number of the running kernel; older ones have fewer than this file, newer ones may have more. */
export function lastCapability(): number {
  last ??= Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))
  return last
}

/** A set of capabilities as the kernel writes it: bit n for capability n. @throws EngineError for unknown names */
export function capabilityMask(names: Iterable<string>): bigint {
  let mask = 0n
  for (const name of names) mask |= 1n << BigInt(capabilityNumber(name))
  return mask
}

/** Names of a mask's bits. */
export function capabilitiesOf(mask: bigint): string[] {
  return capabilityNames.filter((_, number) => (mask >> BigInt(number)) & 1n)
}

let available: readonly string[] | undefined

/**
 * What a container can be given on this host: what the kernel knows (an older one has fewer than this file) and what this process has in
 * its bounding set (a daemon inside another container, a host that took CAP_SYS_RESOURCE away). Read once.
 */
export function availableCapabilities(): readonly string[] {
  if (available !== undefined) return available
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  available = capabilitiesOf(BigInt(`0x${bounding}`)).filter((name) => capabilityNumber(name) <= lastCapability())
  return available
}

/**
 * A list of HostConfig's CapAdd or CapDrop with full names in capitals: `net_raw` → `CAP_NET_RAW`. `ALL` stays.
 * @param field the field that errors name
 * @param held  what can be given or taken on this host
 * @throws EngineError invalid-argument in Docker's words
 */
export function normalizeCapabilities(field: 'CapAdd' | 'CapDrop', names: readonly string[], held: readonly string[] = availableCapabilities()): string[] {
  return names.map((name) => {
    const upper = name.toUpperCase()
    if (upper === 'ALL') return upper
    const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
    if (!numbers.has(full)) throw new EngineError('invalid-argument', `invalid ${field}: unknown capability: ${JSON.stringify(full)}`)
    if (!held.includes(full)) {
      throw new EngineError('invalid-argument', `invalid ${field}: capability not supported by your kernel or not available in the current environment: ${JSON.stringify(full)}`)
    }
    return full
  })
}

export interface CapabilityRequest {
  readonly capAdd: readonly string[]
  readonly capDrop: readonly string[]
  readonly privileged: boolean
}

/**
 * The capabilities of a container, by Docker's rules: privileged gets all there are; with CapAdd ALL all but those dropped; with CapDrop ALL
 * only those added; else the default ones without the dropped, and the added (a name in both lists is added).
 * @param held what can be given; a default one beyond it is left out
 * @throws EngineError invalid-argument: `invalid CapAdd: unknown capability: "CAP_FOO"`
 */
export function resolveCapabilities(request: CapabilityRequest, held: readonly string[] = availableCapabilities()): string[] {
  const add = normalizeCapabilities('CapAdd', request.capAdd, held)
  const drop = normalizeCapabilities('CapDrop', request.capDrop, held)
  if (request.privileged) return [...held]
  if (add.includes('ALL')) return held.filter((name) => !drop.includes(name))
  if (drop.includes('ALL')) return [...new Set(add)]
  const kept = defaultCapabilities.filter((name) => held.includes(name) && !drop.includes(name))
  return [...new Set([...kept, ...add])]
}

/**
 * The five sets of a container's process. Inheritable and ambient are empty (CVE-2022-24769: with a filled inheritable set a program
 * with file capabilities gains more than its container's user should).
 */
export function capabilitySets(names: readonly string[]): OciCapabilities {
  return { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] }
}
