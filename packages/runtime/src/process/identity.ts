import { readFileSync } from 'node:fs'
import { EngineError, Errno } from '@engine/linux'
import type { Program } from '@engine/linux/program'
import { capabilityMask, capabilityNames, capabilityNumber, lastCapability } from '../capabilities.ts'
import { hardLimits, rlimitName, rlimitNumber } from '../rlimits.ts'
import type { OciCapabilities, OciProcess, OciRlimit } from '../spec.ts'
import { setUndumpable } from './detach.ts'
import { passing } from './passage.ts'

const PR_SET_KEEPCAPS = 8
const PR_CAPBSET_DROP = 24
const PR_SET_NO_NEW_PRIVS = 38
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_RAISE = 2
const PR_CAP_AMBIENT_CLEAR_ALL = 4
const LINUX_CAPABILITY_VERSION_3 = 0x20080522
const SIG_SETMASK = 2

let ignored: number[] | undefined

/** Signals that this process ignores (Node: SIGPIPE, SIGXFSZ); a child would go on ignoring them after execve. */
function ignoredSignals(): number[] {
  if (ignored === undefined) {
    const mask = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`)
    ignored = []
    for (let signal = 1; signal <= 64; signal++) if ((mask >> BigInt(signal - 1)) & 1n) ignored.push(signal)
  }
  return ignored
}

/** Appends: default action for every signal, none blocked. Handlers were reset by CLONE_CLEAR_SIGHAND already. */
export function resetSignals(program: Program): void {
  // struct sigaction of the kernel: handler (SIG_DFL), flags, restorer, mask
  const defaultAction = program.words(0, 0, 0, 0)
  for (const signal of ignoredSignals()) {
    program.call('rt_sigaction', [signal, defaultAction, 0, 8], { args: { signal, handler: 'SIG_DFL' } })
  }
  program.call('rt_sigprocmask', [SIG_SETMASK, program.words(0), 0, 8], { args: { how: 'SIG_SETMASK', set: '' } })
}

/** Appends the resource limits. A hard limit that may not be raised is left as it is: a warning, not a failure to start. */
export function setRlimits(program: Program, rlimits: readonly OciRlimit[]): void {
  const value = (limit: number): bigint => (limit < 0 ? 0xffff_ffff_ffff_ffffn : BigInt(limit))
  for (const { type, soft, hard } of rlimits) {
    const number = rlimitNumber(type)
    if (number === undefined) throw new EngineError('invalid-argument', `invalid rlimit type: ${type}`)
    program.call('prlimit64', [0, number, program.words(value(soft), value(hard)), 0], {
      args: { resource: type, soft, hard },
      allow: [Errno.EPERM],
      failure: `error setting rlimit type ${type}`,
    })
  }
}

/**
 * Appends: hard limits above this process's own, before a user namespace is entered, in which nobody may raise them. `setRlimits`
 * follows: until then the soft ones are in no one's way.
 */
export function raiseHardLimits(program: Program, rlimits: readonly OciRlimit[]): void {
  const current = hardLimits()
  const order = (limit: number): number => (limit < 0 ? Number.POSITIVE_INFINITY : limit)
  const higher = rlimits.filter(({ type, hard }) => order(hard) > order(current.get(rlimitName(type)) ?? -1))
  setRlimits(program, higher.map(({ type, hard }) => ({ type, soft: hard, hard })))
}

/** Lays out the data of capset(2): effective, permitted, inheritable, as two 32-bit halves each. */
function capabilityData(program: Program, effective: bigint, permitted: bigint, inheritable: bigint): number {
  const data = Buffer.alloc(24)
  ;[effective, permitted, inheritable].forEach((bits, i) => {
    data.writeUInt32LE(Number(bits & 0xffff_ffffn), i * 4)
    data.writeUInt32LE(Number(bits >> 32n), 12 + i * 4)
  })
  return program.bytes(data)
}

/**
 * Appends: user, groups and capabilities. The last steps before the filter and execve.
 *
 * With a seccomp filter but without no_new_privs, loading the filter takes CAP_SYS_ADMIN. It is kept, effective, until execve,
 * which computes the capabilities anew: for root from the bounding set, which is final by then, and none for other users
 * (capabilities(7), "Transformation of capabilities during execve"). So that the filter can come last, and meets execve alone.
 * Inheritable and ambient sets are as the spec says: empty by default (CVE-2022-24769).
 */
export function becomeUser(program: Program, process: OciProcess, keepForFilter: boolean): void {
  const { user, capabilities } = process
  for (const id of [user.uid, user.gid, ...user.additionalGids]) refuseUnlessId(id)
  dropBounding(program, capabilities)
  program.call('prctl', [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0], { args: { option: 'PR_CAP_AMBIENT_CLEAR_ALL' } })
  const groups = [user.gid, ...user.additionalGids.filter((gid) => gid !== user.gid)]
  const list = Buffer.alloc(groups.length * 4)
  groups.forEach((gid, i) => list.writeUInt32LE(gid, i * 4))
  program.call('setgroups', [groups.length, program.bytes(list)], { args: { groups: groups.join(',') }, failure: 'setgroups' })
  program.call('setresgid', [user.gid, user.gid, user.gid], { args: { gid: user.gid }, failure: 'setgid' })
  program.call('prctl', [PR_SET_KEEPCAPS, 1, 0, 0, 0], { args: { option: 'PR_SET_KEEPCAPS', value: 1 } })
  program.call('setresuid', [user.uid, user.uid, user.uid], { args: { uid: user.uid }, failure: 'setuid' })
  setUndumpable(program)
  setCapabilities(program, process, keepForFilter ? capabilityMask(['CAP_SYS_ADMIN']) : 0n, undefined)
  for (const name of capabilities.ambient) {
    program.call('prctl', [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capabilityNumber(name), 0, 0], { args: { option: 'PR_CAP_AMBIENT_RAISE', capability: name } })
  }
  program.call('prctl', [PR_SET_KEEPCAPS, 0, 0, 0, 0], { args: { option: 'PR_SET_KEEPCAPS', value: 0 }, quiet: true })
}

/** Appends: give up what `becomeUser` has kept for loading the filter, which is in force by now. */
export function dropKept(program: Program, process: OciProcess, passage: bigint | undefined): void {
  setCapabilities(program, process, 0n, passage)
}

function setCapabilities(program: Program, { user, capabilities }: OciProcess, kept: bigint, passage: bigint | undefined): void {
  // A user other than root has none after execve in any case; without them now, execve and chdir are judged as that user's.
  const permitted = capabilityMask(user.uid === 0 ? capabilities.permitted : capabilities.ambient) | kept
  const effective = capabilityMask(user.uid === 0 ? capabilities.effective : capabilities.ambient) | kept
  const inheritable = capabilityMask(capabilities.inheritable)
  program.call('capset', passing(passage, [program.words(LINUX_CAPABILITY_VERSION_3), capabilityData(program, effective, permitted, inheritable)]), {
    args: { effective: effective.toString(16), permitted: permitted.toString(16), bounding: capabilityMask(capabilities.bounding).toString(16), inheritable: inheritable.toString(16) },
    failure: 'unable to apply caps',
  })
}

/** The kernel takes 2^32 - 1 for "as it is", which would be root. */
function refuseUnlessId(id: number): void {
  if (!Number.isInteger(id) || id < 0 || id >= 0xffff_ffff) throw new EngineError('invalid-argument', `invalid user or group id: ${id}`)
}

/** Appends: no execve gives what is not in the spec. A newer kernel may have capabilities that this file knows no name of. */
function dropBounding(program: Program, { bounding }: OciCapabilities): void {
  const kept = new Set(bounding.map(capabilityNumber))
  for (let capability = 0; capability <= lastCapability(); capability++) {
    if (kept.has(capability)) continue
    const name = capabilityNames[capability] ?? String(capability)
    program.call('prctl', [PR_CAPBSET_DROP, capability, 0, 0, 0], {
      args: { option: 'PR_CAPBSET_DROP', capability: name },
      failure: 'unable to apply bounding set',
    })
  }
}

/** Appends: no_new_privs(7), when asked: execve gives no more privileges than before. */
export function setNoNewPrivileges(program: Program, wanted: boolean): void {
  if (wanted) program.call('prctl', [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], { args: { option: 'PR_SET_NO_NEW_PRIVS', value: 1 } })
}
