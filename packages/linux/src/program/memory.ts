import koffi from 'koffi'
import { EngineError } from '../error.ts'
import { libc } from '../libc.ts'

const PROT_READ = 1
const PROT_WRITE = 2
const PROT_EXEC = 4
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_FIXED = 0x10
const MAP_ANONYMOUS = 0x20
const MADV_DONTFORK = 10
const MADV_DOFORK = 11

/** Bytes of a page. */
export const PAGE = 4096

const mmap = libc.func('void *mmap(uint64 address, size_t length, int protection, int flags, int fd, int64 offset)') as (
  address: bigint, length: number, protection: number, flags: number, fd: number, offset: number) => bigint
const mprotect = libc.func('int mprotect(void *address, size_t length, int protection)') as (address: bigint, length: number, protection: number) => number
const madvise = libc.func('int madvise(uint64 address, size_t length, int advice)') as (address: number, length: number, advice: number) => number

/** Memory that a forked child has together with this process. */
export interface Region {
  readonly address: number
  readonly memory: Buffer
  /** The same memory by words; the fields of a program are aligned. */
  readonly words: Int32Array
  readonly doubleWords: BigInt64Array
}

const pool = new Map<number, Region[]>()

/**
 * Memory that is shared with the one child that is forked within `shareWith`, and with no other: a container that may trace its
 * own child could else write into the table of another container's. Page aligned, zeroed.
 * @throws EngineError when there is none
 */
export function takeRegion(length: number): Region {
  const used = pool.get(length)?.pop()
  if (used !== undefined) return used
  const mapped = mmap(0n, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
  if (failed(mapped)) throw new EngineError('internal', `no memory for ${length} bytes`)
  // Below 2^47: a JavaScript number, with which is faster calculated.
  const address = Number(mapped)
  hide(address, length)
  const view = koffi.view(mapped, length)
  return { address, memory: Buffer.from(view), words: new Int32Array(view), doubleWords: new BigInt64Array(view) }
}

/** Gives a region back. New memory takes its place at once: whoever still has the old has it alone. */
export function returnRegion(region: Region): void {
  const { length } = region.memory
  const address = mmap(BigInt(region.address), length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
  if (failed(address)) return
  hide(region.address, length)
  const free = pool.get(length)
  if (free === undefined) pool.set(length, [region])
  else free.push(region)
}

/** Lets the child that `fork` makes have the region too. */
export function shareWith<T>(region: Region, fork: () => T): T {
  const { length } = region.memory
  advise(region.address, length, MADV_DOFORK)
  try {
    return fork()
  } finally {
    hide(region.address, length)
  }
}

/** Maps code: written, then made executable and no longer writable. @throws EngineError */
export function mapExecutable(code: Buffer): bigint {
  const address = mmap(0n, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  if (failed(address)) throw new EngineError('internal', 'no memory for the machine code')
  Buffer.from(koffi.view(address, PAGE)).set(code)
  if (mprotect(address, PAGE, PROT_READ | PROT_EXEC) !== 0) {
    throw new EngineError('internal', 'memory cannot be made executable', { hint: 'a security policy (SELinux execmem, MemoryDenyWriteExecute=) forbids it' })
  }
  return address
}

function hide(address: number, length: number): void {
  advise(address, length, MADV_DONTFORK)
}

function advise(address: number, length: number, advice: number): void {
  if (madvise(address, length, advice) !== 0) throw new EngineError('internal', `madvise of a program's memory failed`)
}

function failed(address: bigint): boolean {
  return BigInt.asIntN(64, BigInt(address)) === -1n
}
