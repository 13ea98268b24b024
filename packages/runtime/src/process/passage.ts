import { randomBytes } from 'node:crypto'
import { EngineError } from '@engine/linux'
import type { Argument } from '@engine/linux/program'
import { syscallNumber, type SyscallName } from '@engine/linux/syscall-numbers'
import type { Filter } from './birth.ts'

// Classic BPF over struct seccomp_data (linux/seccomp.h): number at 0, the sixth argument at 56.
const LOAD = 0x20
const JUMP = 0x05
const JUMP_EQUAL = 0x15
const RETURN = 0x06
const OFFSET_NUMBER = 0
const OFFSET_SIXTH = 56
const ALLOW = 0x7fff_0000
/** BPF_MAXINSNS. */
const LONGEST = 4096

/** A filter that lets some calls of ours through, by a number that nobody else knows. */
export interface GuardedFilter {
  /** struct sock_filter[] */
  readonly bytes: Buffer
  /** SECCOMP_FILTER_FLAG_… */
  readonly flags: number
  /** To be the sixth argument of the calls, none of which has so many. */
  readonly passage: bigint
}

/**
 * Puts a test before a compiled filter: the calls that a birth makes after loading it pass when their sixth argument is a random
 * number. So the filter can be loaded, and the privilege that this takes be given up, before the process comes into the
 * container's sight; and a profile need not permit calls of which its author knows nothing.
 * Execve forgets the registers, so the program never learns the number. All other calls take the filter's own way: the kernel
 * still sees which of them are always allowed, whatever their arguments, and does not run the filter for them.
 * @param calls what the birth has left to do then; each costs the container a little at this call, so there are no more than needed
 * @throws EngineError invalid-argument when the filter has no room for it
 */
export function guard({ program: filter, flags }: Filter, calls: readonly SyscallName[]): GuardedFilter {
  // Both halves are more than 0, which is what a register usually holds.
  const low = randomBytes(4).readUInt32LE(0) | 1
  const high = randomBytes(4).readUInt32LE(0) | 1
  const check: readonly (readonly [code: number, jumpTrue: number, jumpFalse: number, value: number])[] = [
    [LOAD, 0, 0, OFFSET_NUMBER],
    ...calls.map((name, i) => [JUMP_EQUAL, calls.length - i, 0, syscallNumber(name)] as const),
    [JUMP, 0, 0, 5],
    [LOAD, 0, 0, OFFSET_SIXTH],
    [JUMP_EQUAL, 0, 3, low >>> 0],
    [LOAD, 0, 0, OFFSET_SIXTH + 4],
    [JUMP_EQUAL, 0, 1, high >>> 0],
    [RETURN, 0, 0, ALLOW],
  ]
  const before = Buffer.alloc(check.length * 8)
  check.forEach(([code, jumpTrue, jumpFalse, value], i) => {
    before.writeUInt16LE(code, i * 8)
    before.writeUInt8(jumpTrue, i * 8 + 2)
    before.writeUInt8(jumpFalse, i * 8 + 3)
    before.writeUInt32LE(value, i * 8 + 4)
  })
  const bytes = Buffer.concat([before, filter])
  if (bytes.length / 8 > LONGEST) throw new EngineError('invalid-argument', `seccomp profile is too long: ${filter.length / 8} instructions, there is room for ${LONGEST - check.length}`)
  return { bytes, flags, passage: (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0) }
}

/** A call's arguments with the number that lets it pass, if there is one. */
export function passing(passage: bigint | undefined, args: readonly Argument[]): readonly Argument[] {
  return passage === undefined ? args : [...args, ...Array.from({ length: 5 - args.length }, () => 0), passage]
}
