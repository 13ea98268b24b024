import { readFileSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import type { OciRlimit } from './spec.ts'

/** Docker's names of limits, with getrlimit(2)'s number (linux/resource.h) and the row of /proc/self/limits. */
const limits = {
  cpu: [0, 'Max cpu time'],
  fsize: [1, 'Max file size'],
  data: [2, 'Max data size'],
  stack: [3, 'Max stack size'],
  core: [4, 'Max core file size'],
  rss: [5, 'Max resident set'],
  nproc: [6, 'Max processes'],
  nofile: [7, 'Max open files'],
  memlock: [8, 'Max locked memory'],
  as: [9, 'Max address space'],
  locks: [10, 'Max file locks'],
  sigpending: [11, 'Max pending signals'],
  msgqueue: [12, 'Max msgqueue size'],
  nice: [13, 'Max nice priority'],
  rtprio: [14, 'Max realtime priority'],
  rttime: [15, 'Max realtime timeout'],
} as const

export type RlimitName = keyof typeof limits

function isRlimitName(name: string): name is RlimitName {
  return Object.hasOwn(limits, name)
}

/** One of HostConfig's Ulimits; -1 is unlimited. */
export interface Ulimit {
  readonly name: string
  readonly soft: number
  readonly hard: number
}

/** A limit's number for prlimit64(2), `RLIMIT_NOFILE` → 7. @throws EngineError invalid-argument, in runc's words, for a name that Linux has not */
export function rlimitNumber(type: string): number {
  return limits[rlimitName(type)][0]
}

/** Docker's name of a limit, `RLIMIT_NOFILE` → `nofile`. @throws EngineError invalid-argument for a name that Linux has not */
export function rlimitName(type: string): RlimitName {
  const name = type.replace(/^RLIMIT_/, '').toLowerCase()
  if (!isRlimitName(name)) throw new EngineError('invalid-argument', `wrong rlimit value: ${type}`)
  return name
}

/**
 * A container's limits.
 * Hard limits above this process's own can only be set with CAP_SYS_RESOURCE. Where it is missing the limit becomes what is possible,
 * with a warning, because a container that does not start is worse than one with fewer descriptors.
 * @param mayRaise whether this process has CAP_SYS_RESOURCE
 * @param current  this process's own hard limits by Docker's name; see {@link hardLimits}
 * @throws EngineError invalid-argument, in runc's and Docker's words
 */
export function resolveRlimits(ulimits: readonly Ulimit[], mayRaise: boolean, current: ReadonlyMap<RlimitName, number>): { readonly rlimits: OciRlimit[]; readonly warnings: string[] } {
  const warnings: string[] = []
  const rlimits = ulimits.map(({ name, soft, hard }): OciRlimit => {
    const type = `RLIMIT_${name.toUpperCase()}`
    if (!isRlimitName(name)) throw new EngineError('invalid-argument', `wrong rlimit value: ${type}`)
    if (order(soft) > order(hard)) {
      throw new EngineError('invalid-argument', `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`)
    }
    const most = current.get(name) ?? -1
    if (mayRaise || order(hard) <= order(most)) return { type, soft, hard }
    warnings.push(`ulimit ${name}: this host does not let the hard limit be raised to ${shown(hard)}; it is ${shown(most)}`)
    return { type, soft: order(soft) > order(most) ? most : soft, hard: most }
  })
  return { rlimits, warnings }
}

function order(limit: number): number {
  return limit < 0 ? Number.POSITIVE_INFINITY : limit
}

function shown(limit: number): string {
  return limit < 0 ? 'unlimited' : String(limit)
}

/**
 * Hard limits from /proc/<pid>/limits.
 * @param content the file's text; this process's own without it
 */
export function hardLimits(content = readFileSync('/proc/self/limits', 'utf8')): Map<RlimitName, number> {
  const found = new Map<RlimitName, number>()
  for (const [name, [, row]] of Object.entries(limits)) {
    const line = content.split('\n').find((text) => text.startsWith(`${row} `))
    const hard = line?.slice(row.length).trim().split(/\s+/)[1]
    if (hard !== undefined && isRlimitName(name)) found.set(name, hard === 'unlimited' ? -1 : Number(hard))
  }
  return found
}
