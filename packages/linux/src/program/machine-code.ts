import koffi from 'koffi'
import { EngineError } from '../error.ts'
import { libc } from '../libc.ts'
import { mapExecutable } from './memory.ts'

/**
 * The only machine code in engine. A child of fork(2) must not run JavaScript (V8 maps its heap with MADV_DONTFORK and its
 * other threads are gone), so the child runs this loop instead: it makes the system calls of a table that was laid out in
 * TypeScript beforehand. docs/decisions/0002 tells why, and what was measured.
 *
 * Entry `spawn(clone_args *, size, first instruction *)`: clone3(2); the parent returns its result, the child goes into `run`.
 * Before the first instruction lies a header of 128 bytes: 0 the instruction to go on at after a failure.
 * An instruction is 128 bytes, little endian (see instruction.ts):
 *   0 number (32 bits), 4 an errno value after which the call is made again (32 bits), 8..55 six arguments, 56 result,
 *   64 ticks after, 72 and 112 where to store the result (0: nowhere), 80..95 four errno values that are no failure,
 *   96 next instruction after one of those, 104 next after a result above zero (0: the following one), 120 ticks before.
 * Entry `ticks()`: the processor's time stamp counter.
 */
const x64 = [
  // spawn: push rbx; mov rbx,rdx; mov eax,435; syscall; test rax,rax; je child; pop rbx; ret
  '53 4889d3 b8b3010000 0f05 4885c0 7402 5b c3',
  // child: mov r13,rbx
  '4989dd',
  // run: rdtsc; shl rdx,32; or rax,rdx; mov [rbx+120],rax
  '0f31 48c1e220 4809d0 48894378',
  // mov eax,[rbx]; mov rdi,[rbx+8]; mov rsi,[rbx+16]; mov rdx,[rbx+24]; mov r10,[rbx+32]; mov r8,[rbx+40]; mov r9,[rbx+48]
  '8b03 488b7b08 488b7310 488b5318 4c8b5320 4c8b4328 4c8b4b30',
  // syscall; mov [rbx+56],rax; mov r12,rax; rdtsc; shl rdx,32; or rax,rdx; mov [rbx+64],rax
  '0f05 48894338 4989c4 0f31 48c1e220 4809d0 48894340',
  // cmp r12,-4095; jae failed; mov rcx,[rbx+72]; test rcx,rcx; je stored; mov [rcx],r12
  '4981fc01f0ffff 7334 488b4b48 4885c9 7403 4c8921',
  // stored: mov rcx,[rbx+112]; test rcx,rcx; je both; mov [rcx],r12
  '488b4b70 4885c9 7403 4c8921',
  // both: test r12,r12; je next; mov rcx,[rbx+104]; test rcx,rcx; je next; mov rbx,rcx; jmp run
  '4d85e4 740e 488b4b68 4885c9 7405 4889cb eb8f',
  // next: add rbx,128; jmp run
  '4881c380000000 eb86',
  // failed: neg r12; cmp r12d,[rbx+4]; je run; cmp r12d,[rbx+80]; je allowed; … [rbx+84] … [rbx+88] … [rbx+92]; je allowed
  '49f7dc 443b6304 0f8479ffffff 443b6350 741b 443b6354 7415 443b6358 740f 443b635c 7409',
  // mov rbx,[r13-128]; jmp run
  '498b5d80 e958ffffff',
  // allowed: mov rbx,[rbx+96]; jmp run
  '488b5b60 e94fffffff',
  // ticks: rdtsc; shl rdx,32; or rax,rdx; ret
  '0f31 48c1e220 4809d0 c3',
].join(' ')

/** Offset of the entry `ticks` in the code. */
const TICKS = 0xc6

const spawnPrototype = koffi.proto('long engine_spawn(uint64 cloneArgs, uint64 size, uint64 first)')
const ticksPrototype = koffi.proto('uint64 engine_ticks()')

export interface Code {
  /** Where it lies: the page that a child must keep. */
  readonly address: bigint
  spawn(cloneArgs: number, size: number, first: number): number
  ticks(): bigint
}

let mapped: Code | undefined

/** The code, mapped on first use. @throws EngineError on other processors */
export function machineCode(): Code {
  if (mapped !== undefined) return mapped
  if (process.arch !== 'x64') {
    throw new EngineError('not-implemented', `engine does not run on ${process.arch} yet`, { hint: 'packages/linux/src/program/machine-code.ts has the loop for x64 only' })
  }
  const address = mapExecutable(Buffer.from(x64.replaceAll(' ', ''), 'hex'))
  mapped = {
    address,
    spawn: (cloneArgs, size, first) => Number(koffi.call(address, spawnPrototype, cloneArgs, size, first)),
    ticks: () => BigInt(koffi.call(address + BigInt(TICKS), ticksPrototype) as number | bigint),
  }
  return mapped
}

interface AddressRange {
  readonly from: number
  readonly to: number
}

let restartable: AddressRange | undefined | null

/**
 * Where this thread's restartable-sequences area lies (glibc registers one for every thread): the kernel writes to it whenever it
 * moves a thread to another processor, in a forked child as well, and kills who has it no more.
 * @returns undefined when there is none
 */
export function restartableSequences(): AddressRange | undefined {
  if (restartable !== undefined) return restartable ?? undefined
  restartable = findRestartableSequences() ?? null
  return restartable ?? undefined
}

function findRestartableSequences(): AddressRange | undefined {
  let offset: bigint
  try {
    offset = BigInt(koffi.decode(libc.symbol('__rseq_offset', 'int64'), 'int64') as number | bigint)
  } catch {
    // Before glibc 2.35 nobody registers one.
    return undefined
  }
  const base = Buffer.alloc(8)
  const ARCH_GET_FS = 0x1003
  const archPrctl = libc.func('int arch_prctl(int code, void *address)')
  if (Number(archPrctl(ARCH_GET_FS, base)) !== 0) throw new EngineError('internal', 'the thread pointer cannot be told')
  // The structure has 32 bytes and is growing.
  const from = Number(base.readBigUInt64LE(0) + offset)
  return { from, to: from + 256 }
}
