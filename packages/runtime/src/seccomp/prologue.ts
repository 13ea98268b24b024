import { EngineError } from '@engine/linux'
import { X32, X32_BIT, X86_64 } from './architectures.ts'

// Classic BPF (linux/filter.h): load a word of struct seccomp_data, compare, jump, return.
const LOAD = 0x20
const JUMP = 0x05
const JUMP_EQUAL = 0x15
const JUMP_GREATER = 0x25
const JUMP_AT_LEAST = 0x35
const RETURN = 0x06
const OFFSET_NUMBER = 0
const OFFSET_ARCHITECTURE = 4

const ERRNO_ENOSYS = 0x0005_0026

/** What is decided before libseccomp's program, for one architecture. */
export interface Preface {
  readonly token: number
  /** Calls by number that the library does not know, with what is returned for them. */
  readonly calls: ReadonlyMap<number, number>
  /** Calls with a higher number return ENOSYS. */
  readonly newest: number | undefined
}

interface Instruction {
  readonly code: number
  readonly jumpTrue: number
  readonly jumpFalse: number
  readonly value: number
}

/**
 * The instructions to put before libseccomp's program.
 * Calls newer than the profile return ENOSYS and not EPERM, so that programs fall back to older ones, as they do on an older kernel
 * (glibc takes EPERM from faccessat2 or clone3 for the answer); runc does the same.
 */
export function prologue(prefaces: readonly Preface[]): Buffer {
  const useful = prefaces.filter(({ calls, newest }) => calls.size > 0 || newest !== undefined)
  const x32 = useful.find(({ token }) => token === X32)
  const blocks = useful
    .filter(({ token }) => token !== X32)
    .map((preface) => ({ token: preface.token, body: preface.token === X86_64 ? x86Body(preface, x32) : [load(OFFSET_NUMBER), ...decide(preface)] }))
  // x32 without x86-64 in the profile has a block of its own.
  if (x32 !== undefined && !blocks.some(({ token }) => token === X86_64)) blocks.push({ token: X86_64, body: x86Body(undefined, x32) })
  if (blocks.length === 0) return Buffer.alloc(0)
  const program: Instruction[] = [load(OFFSET_ARCHITECTURE)]
  for (const [index, { token, body }] of blocks.entries()) {
    const rest = blocks.slice(index + 1).reduce((sum, other) => sum + other.body.length + 3, 0)
    // A long way is gone by the unconditional jump, whose offset has 32 bits where the others' have 8.
    program.push(jump(JUMP_EQUAL, token, 1, 0), { code: JUMP, jumpTrue: 0, jumpFalse: 0, value: body.length + 1 }, ...body)
    program.push({ code: JUMP, jumpTrue: 0, jumpFalse: 0, value: rest })
  }
  return encode(program)
}

/** Both of x86-64's ways to call: numbers with the x32 bit are x32's. */
function x86Body(native: Preface | undefined, x32: Preface | undefined): Instruction[] {
  const nativePart = native === undefined ? [] : decide(native)
  const x32Part = x32 === undefined ? [] : decide(x32)
  return [
    load(OFFSET_NUMBER),
    jump(JUMP_AT_LEAST, X32_BIT, 0, 1),
    { code: JUMP, jumpTrue: 0, jumpFalse: 0, value: nativePart.length + 1 },
    ...nativePart,
    { code: JUMP, jumpTrue: 0, jumpFalse: 0, value: x32Part.length },
    ...x32Part,
  ]
}

function decide({ calls, newest }: Preface): Instruction[] {
  const instructions = [...calls].flatMap(([number, action]) => [jump(JUMP_EQUAL, number, 0, 1), returning(action)])
  if (newest !== undefined) instructions.push(jump(JUMP_GREATER, newest, 0, 1), returning(ERRNO_ENOSYS))
  return instructions
}

function load(offset: number): Instruction {
  return { code: LOAD, jumpTrue: 0, jumpFalse: 0, value: offset }
}

function jump(code: number, value: number, jumpTrue: number, jumpFalse: number): Instruction {
  return { code, jumpTrue, jumpFalse, value }
}

function returning(action: number): Instruction {
  return { code: RETURN, jumpTrue: 0, jumpFalse: 0, value: action }
}

/** struct sock_filter[]: u16 code, u8 jt, u8 jf, u32 k. */
function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(({ code, jumpTrue, jumpFalse, value }, index) => {
    if (jumpTrue > 0xff || jumpFalse > 0xff) throw new EngineError('internal', 'BPF jump is out of reach')
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(jumpTrue, index * 8 + 2)
    bytes.writeUInt8(jumpFalse, index * 8 + 3)
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4)
  })
  return bytes
}
