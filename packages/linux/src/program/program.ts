import { EngineError } from '../error.ts'
import { Errno, errnoName } from '../errno.ts'
import { SyscallError } from '../syscall-error.ts'
import { syscallNumber, type SyscallName } from '../syscall-numbers.ts'
import type { SyscallRecord } from '../tracer.ts'
import {
  AGAIN, ALLOWED, ARGUMENTS, HEADER, ON_ALLOWED, ON_POSITIVE, ProgramFull, RESULT, Result, STORES, STRIDE, TICKS_AFTER, TICKS_BEFORE,
  type Argument, type CallOptions, type Instruction, type Label, type ProgramFailure,
} from './instruction.ts'
import { machineCode, restartableSequences } from './machine-code.ts'
import { PAGE, returnRegion, shareWith, takeRegion, type Region } from './memory.ts'
import { ticksClock } from './ticks.ts'

/** Bytes for one program: instructions grow from the start, strings and structures from the end. The larger holds what execve(2) takes at all. */
const SIZES = { normal: 512 * 1024, large: 32 * 1024 * 1024 } as const

/** The end of a process's memory on x86-64 with four levels of page tables, which the kernel keeps to unless it is asked not to. */
const TASK_SIZE = 0x7fff_ffff_f000
const MADV_DONTFORK = 10

const CLONE_PIDFD = 0x1000
const CLONE_CLEAR_SIGHAND = 0x1_0000_0000
const CLONE_INTO_CGROUP = 0x2_0000_0000
const SIGCHLD = 17

/**
 * A table of system calls for a forked child to make; see machine-code.ts. Laid out in memory that child and parent share, so
 * that the parent reads each call's result and time when the child has called execve or has ended.
 * Runs on the calling thread; everything here is synchronous.
 */
export class Program {
  readonly #region: Region
  readonly #instructions: Instruction[] = []
  readonly #stores: number[] = []
  readonly #strings = new Map<string, number>()
  #end: number

  /** @param size a normal program is some hundred instructions; a large one has room for whatever the kernel would take */
  constructor(size: keyof typeof SIZES = 'normal') {
    this.#region = takeRegion(SIZES[size])
    // The last page is not for data: see `apart`.
    this.#end = SIZES[size] - PAGE
  }

  /** Copies bytes into the program's memory; 8-byte aligned. @returns their address @throws ProgramFull */
  bytes(content: Uint8Array): number {
    const at = this.#reserve(content.length)
    this.#region.memory.set(content, at)
    return this.#region.address + at
  }

  #reserve(length: number): number {
    const end = this.#end - ((length + 7) & ~7)
    if (end < HEADER + (this.#instructions.length + 1) * STRIDE) throw new ProgramFull()
    this.#end = end
    return end
  }

  /** Copies a NUL-terminated string; the same one always has the same address. @throws EngineError when it holds a NUL itself */
  string(content: string): number {
    const known = this.#strings.get(content)
    if (known !== undefined) return known
    if (content.includes('\0')) throw new EngineError('invalid-argument', 'a NUL byte in an argument')
    const at = this.#reserve(Buffer.byteLength(content) + 1)
    this.#region.memory.write(content, at)
    this.#strings.set(content, this.#region.address + at)
    return this.#region.address + at
  }

  /** Copies an array of strings with its closing NULL, as execve(2) takes them. */
  strings(contents: readonly string[]): number {
    const addresses = contents.map((content) => this.string(content))
    const at = this.#reserve((addresses.length + 1) * 8)
    addresses.forEach((address, i) => this.#put(at + i * 8, address))
    return this.#region.address + at
  }

  /** 64-bit little-endian numbers one after the other, as most kernel structures are. */
  words(...values: readonly (number | bigint)[]): number {
    const at = this.#reserve(values.length * 8)
    values.forEach((value, i) => this.#put(at + i * 8, value))
    return this.#region.address + at
  }

  /** Stores 64 bits: of a number, the two's complement; it is exact up to 2^53. */
  #put(at: number, value: number | bigint): void {
    const { words, doubleWords } = this.#region
    if (typeof value === 'bigint') {
      doubleWords[at >> 3] = value
      return
    }
    words[at >> 2] = value
    words[(at >> 2) + 1] = Math.floor(value / 0x1_0000_0000)
  }

  /** The number at an address that `words` gave, after the child has run. */
  read(address: number): bigint {
    return this.#region.memory.readBigInt64LE(address - this.#region.address)
  }

  /** Appends a system call. @returns its result, for one later call */
  call(name: SyscallName, args: readonly Argument[], options: CallOptions): Result {
    const index = this.#instructions.length
    const at = HEADER + index * STRIDE
    if (args.length > 6) throw new EngineError('internal', `${name} with ${args.length} arguments: a system call takes six`)
    if ((options.allow?.length ?? 0) > 4) throw new EngineError('internal', `${name} with ${options.allow?.length} allowed errors: an instruction has room for four`)
    if (at + 2 * STRIDE > this.#end) throw new ProgramFull()
    // The memory is new: what is not written is 0.
    const { words } = this.#region
    words[at >> 2] = syscallNumber(name)
    words[(at + AGAIN) >> 2] = options.again ?? 0
    args.forEach((argument, i) => {
      const field = at + ARGUMENTS + i * 8
      if (argument instanceof Result) this.#store(argument, field)
      else this.#put(field, argument)
    })
    options.allow?.forEach((errno, i) => {
      words[((at + ALLOWED) >> 2) + i] = errno
    })
    this.#put(at + ON_ALLOWED, this.#addressOf(index + 1))
    this.#instructions.push({ name, ...options })
    this.#stores.push(0)
    if (options.onAllowed !== undefined) this.#use(options.onAllowed, index, ON_ALLOWED)
    if (options.onPositive !== undefined) this.#use(options.onPositive, index, ON_POSITIVE)
    return new Result(index)
  }

  /** Where an argument of a call lies: what the kernel writes there (recvmsg(2)) is what the call is made with next. */
  argumentAddress({ instruction }: Result, index: number): number {
    return this.#addressOf(instruction) + ARGUMENTS + index * 8
  }

  #store({ instruction }: Result, field: number): void {
    const place = STORES[this.#stores[instruction] ?? 0]
    if (place === undefined) throw new EngineError('internal', 'a result is used more than twice')
    this.#stores[instruction] = (this.#stores[instruction] ?? 0) + 1
    this.#put(HEADER + instruction * STRIDE + place, this.#region.address + field)
  }

  /** Fixes a label at the next instruction. */
  place(label: Label): void {
    label.instruction = this.#instructions.length
    for (const { instruction, field } of label.uses) this.#jump(instruction, field, label.instruction)
    label.uses.length = 0
  }

  #use(label: Label, instruction: number, field: number): void {
    if (label.instruction === undefined) label.uses.push({ instruction, field })
    else this.#jump(instruction, field, label.instruction)
  }

  #jump(instruction: number, field: number, to: number): void {
    this.#put(HEADER + instruction * STRIDE + field, this.#addressOf(to))
  }

  #addressOf(instruction: number): number {
    return this.#region.address + HEADER + instruction * STRIDE
  }

  /**
   * Appends: unmap everything but this program. A child begins with a copy of its parent's memory, and would lay it open to a
   * container that may trace it; execve(2) would throw it away a little later in any case.
   * From then on the child has no stack, which the program does not need.
   */
  forgetParent(): void {
    const code = Number(machineCode().address)
    const kept: { readonly from: number; readonly to: number }[] = [
      { from: code, to: code + PAGE },
      { from: this.#region.address, to: this.#region.address + this.#region.memory.length },
    ]
    const sequences = restartableSequences()
    if (sequences !== undefined) kept.push({ from: Math.floor(sequences.from / PAGE) * PAGE, to: Math.ceil(sequences.to / PAGE) * PAGE })
    kept.sort((a, b) => a.from - b.from)
    let from: number = PAGE
    for (const range of [...kept, { from: TASK_SIZE, to: TASK_SIZE }]) {
      if (range.from > from) this.call('munmap', [from, range.from - from], { args: {}, quiet: true })
      from = range.to
    }
  }

  /** An address of eight bytes that `keepApart` keeps from a second child. */
  apart(): number {
    return this.#region.address + this.#region.memory.length - PAGE
  }

  /** Appends: children of the child do not get the page of `apart`, so that none can forge what is there. */
  keepApart(): void {
    this.call('madvise', [this.apart(), PAGE, MADV_DONTFORK], { args: {}, quiet: true })
  }

  /**
   * Appends the end that every failure leads to (exit_group(2) with status 1), and forks: the child makes the calls.
   * The child has default signal handlers and this thread's signal mask; it ends by execve or by exit_group.
   * @param options.flags   namespaces to make for the child (CLONE_NEW…)
   * @param options.cgroup  descriptor of a cgroup v2 directory in which the child is to be born
   * @param options.passage sixth argument of exit_group(2), where a filter that is in force lets calls with it pass
   * @returns the child's pid and a close-on-exec pidfd
   * @throws SyscallError of clone3(2)
   */
  fork(options: { readonly flags: number; readonly cgroup?: number | undefined; readonly passage?: bigint | undefined }): { readonly pid: number; readonly pidfd: number } {
    const failed = this.#instructions.length
    this.call('exit_group', [1, 0, 0, 0, 0, options.passage ?? 0], { args: { status: 1 }, quiet: true })
    this.#put(0, this.#addressOf(failed))
    const pidfd = this.words(-1)
    const cgroup = options.cgroup
    const flags = BigInt(options.flags) | BigInt(CLONE_PIDFD) | BigInt(CLONE_CLEAR_SIGHAND) | (cgroup === undefined ? 0n : BigInt(CLONE_INTO_CGROUP))
    // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
    const cloneArgs = this.words(flags, pidfd, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, cgroup ?? 0)
    // The machine code returns what the kernel did: -errno, without libc's errno.
    const result = shareWith(this.#region, () => machineCode().spawn(cloneArgs, 88, this.#addressOf(0)))
    if (result < 0) throw new SyscallError('clone3', { flags: Number(flags) }, -result)
    return { pid: result, pidfd: Number(this.read(pidfd) & 0xffff_ffffn) }
  }

  /** Whether the child has begun the instruction; when that is an execve without a result, it has succeeded or the child died in it. */
  begun(result: Result): boolean {
    return this.#field(result.instruction, TICKS_BEFORE) !== 0n
  }

  /** Whether the call has come back. */
  returned(result: Result): boolean {
    return this.#field(result.instruction, TICKS_AFTER) !== 0n
  }

  #field(instruction: number, field: number): bigint {
    return this.#region.memory.readBigUInt64LE(HEADER + instruction * STRIDE + field)
  }

  #result(instruction: number): number {
    return Number(this.#region.memory.readBigInt64LE(HEADER + instruction * STRIDE + RESULT))
  }

  /** What the child did, in table order, with times; quiet calls and calls never reached are left out. @param only calls of this name */
  records(only?: string): (SyscallRecord & { readonly at: bigint })[] {
    const clock = ticksClock()
    const records: (SyscallRecord & { at: bigint })[] = []
    this.#instructions.forEach(({ name, args, quiet, allow }, i) => {
      if (only !== undefined && name !== only) return
      const before = this.#field(i, TICKS_BEFORE)
      if (before === 0n || quiet === true) return
      const after = this.#field(i, TICKS_AFTER)
      const at = clock.epoch(before)
      const nanoseconds = after === 0n ? 0 : clock.nanoseconds(after - before)
      const result = this.#result(i)
      if (result >= 0 || after === 0n) records.push({ call: name, args, result: after === 0n ? 0 : result, nanoseconds, at })
      else if (allow?.includes(Errno.ENOENT) !== true || result !== -Errno.ENOENT) {
        records.push({ call: name, args, result: -1, errno: errnoName(-result), nanoseconds, at })
      }
    })
    return records
  }

  /** The call that ended the program, if one did. */
  failure(): ProgramFailure | undefined {
    for (let i = 0; i < this.#instructions.length; i++) {
      const instruction = this.#instructions[i] as Instruction
      if (this.#field(i, TICKS_AFTER) === 0n) continue
      const errno = -this.#result(i)
      if (errno <= 0 || errno > 4095 || errno === instruction.again || instruction.allow?.includes(errno) === true) continue
      const error = new SyscallError(instruction.name, instruction.args, errno)
      const text = error.message.slice(error.message.lastIndexOf(': ') + 2)
      return { errno, step: instruction.name, message: instruction.failure === undefined ? error.message : `${instruction.failure}: ${text}` }
    }
    return undefined
  }

  /** The errno with which a call came back, or 0. */
  errno(result: Result): number {
    const value = -this.#result(result.instruction)
    return value > 0 && value <= 4095 ? value : 0
  }

  /** Gives the memory back; the program is not to be used any more. */
  free(): void {
    returnRegion(this.#region)
  }
}
