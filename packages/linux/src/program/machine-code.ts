import koffi from 'koffi'
import { EngineError } from '../error.ts'
import { libc } from '../libc.ts'

/**
 * The only machine code in engine. A child of fork(2) must not run JavaScript (V8 maps its heap with MADV_DONTFORK and its
 * other threads are gone), so the child runs this loop instead: it makes the system calls of a table that was laid out in
 * TypeScript beforehand. docs/decisions/0002 tells why, and what was measured.
 *
 * Entry `spawn(clone_args *, size, first instruction *)`: clone3(2); the parent returns its result, the child goes into `run`.
 * An instruction is 128 bytes, little endian (see program.ts):
 *   0 number, 8..55 six arguments, 56 result, 64 ticks after, 72 where to store the result (0: nowhere),
 *   80..95 four errno values that are no failure, 96 next instruction after one of those, 104 next after a result above zero
 *   (0: the following one), 112 next after a failure, 120 ticks before.
 * Entry `ticks()`: the processor's time stamp counter.
 */
const x64 = [
  // spawn: push rbx; mov rbx,rdx; mov eax,435; syscall; test rax,rax; je run; pop rbx; ret
  '53 4889d3 b8b3010000 0f05 4885c0 7402 5b c3',
  // run: rdtsc; shl rdx,32; or rax,rdx; mov [rbx+120],rax
  '0f31 48c1e220 4809d0 48894378',
  // mov rax,[rbx]; mov rdi,[rbx+8]; mov rsi,[rbx+16]; mov rdx,[rbx+24]; mov r10,[rbx+32]; mov r8,[rbx+40]; mov r9,[rbx+48]
  '488b03 488b7b08 488b7310 488b5318 4c8b5320 4c8b4328 4c8b4b30',
  // syscall; mov [rbx+56],rax; mov r12,rax; rdtsc; shl rdx,32; or rax,rdx; mov [rbx+64],rax
  '0f05 48894338 4989c4 0f31 48c1e220 4809d0 48894340',
  // cmp r12,-4095; jae failed; mov rcx,[rbx+72]; test rcx,rcx; je stored; mov [rcx],r12
  '4981fc01f0ffff 7328 488b4b48 4885c9 7403 4c8921',
  // stored: test r12,r12; je next; mov rcx,[rbx+104]; test rcx,rcx; je next; mov rbx,rcx; jmp run
  '4d85e4 740e 488b4b68 4885c9 7405 4889cb eb9a',
  // next: add rbx,128; jmp run
  '4881c380000000 eb91',
  // failed: neg r12; cmp r12d,[rbx+80]; je allowed; … [rbx+84] … [rbx+88] … [rbx+92]; je allowed; mov rbx,[rbx+112]; jmp run
  '49f7dc 443b6350 741b 443b6354 7415 443b6358 740f 443b635c 7409 488b5b70 e96dffffff',
  // allowed: mov rbx,[rbx+96]; jmp run
  '488b5b60 e964ffffff',
  // ticks: rdtsc; shl rdx,32; or rax,rdx; ret
  '0f31 48c1e220 4809d0 c3',
].join(' ')

/** Offset of the entry `ticks` in the code. */
const TICKS = 0xae

const PROT_READ = 1
const PROT_WRITE = 2
const PROT_EXEC = 4
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_ANONYMOUS = 0x20

const mmap = libc.func('void *mmap(void *address, size_t length, int protection, int flags, int fd, int64 offset)') as (
  address: null, length: number, protection: number, flags: number, fd: number, offset: number) => bigint
const mprotect = libc.func('int mprotect(void *address, size_t length, int protection)') as (address: bigint, length: number, protection: number) => number
const spawnPrototype = koffi.proto('long engine_spawn(uint64 cloneArgs, uint64 size, uint64 first)')
const ticksPrototype = koffi.proto('uint64 engine_ticks()')

/** Maps anonymous memory that a forked child shares (its results are seen here). Page aligned; zeroed. @throws EngineError */
export function mapShared(length: number): { readonly address: bigint; readonly memory: Buffer } {
  const address = mmap(null, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
  if (BigInt.asIntN(64, address) === -1n) throw new EngineError('internal', `no memory for ${length} bytes`)
  return { address, memory: Buffer.from(koffi.view(address, length)) }
}

interface Code {
  spawn(cloneArgs: bigint, size: number, first: bigint): number
  ticks(): bigint
}

let mapped: Code | undefined

/** The code, mapped on first use: written, then made executable and no longer writable. @throws EngineError on other processors */
export function machineCode(): Code {
  if (mapped !== undefined) return mapped
  if (process.arch !== 'x64') {
    throw new EngineError('not-implemented', `engine does not run on ${process.arch} yet`, { hint: 'packages/linux/src/program/machine-code.ts has the loop for x64 only' })
  }
  const code = Buffer.from(x64.replaceAll(' ', ''), 'hex')
  const address = mmap(null, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  if (BigInt.asIntN(64, address) === -1n) throw new EngineError('internal', 'no memory for the machine code')
  Buffer.from(koffi.view(address, 4096)).set(code)
  if (mprotect(address, 4096, PROT_READ | PROT_EXEC) !== 0) {
    throw new EngineError('internal', 'memory cannot be made executable', { hint: 'a security policy (SELinux execmem, MemoryDenyWriteExecute=) forbids it' })
  }
  mapped = {
    spawn: (cloneArgs, size, first) => Number(koffi.call(address, spawnPrototype, cloneArgs, size, first)),
    ticks: () => BigInt(koffi.call(address + BigInt(TICKS), ticksPrototype) as number | bigint),
  }
  return mapped
}
