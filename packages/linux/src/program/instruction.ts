import { EngineError } from '../error.ts'
import type { SyscallName } from '../syscall-numbers.ts'
import type { TracedValue } from '../tracer.ts'

/** Bytes of one instruction; what follows are offsets in it, which machine-code.ts knows too. */
export const STRIDE = 128
/** Before the first instruction: where to go on after a failure. */
export const HEADER = 128
export const AGAIN = 4
export const ARGUMENTS = 8
export const RESULT = 56
export const TICKS_AFTER = 64
/** Two places for a result. */
export const STORES = [72, 112] as const
export const ALLOWED = 80
export const ON_ALLOWED = 96
export const ON_POSITIVE = 104
export const TICKS_BEFORE = 120

/** An argument: a number, an address, or the result of an earlier instruction. */
export type Argument = number | bigint | Result

/** Stands for the result of an instruction as an argument of at most two later instructions. */
export class Result {
  readonly instruction: number

  constructor(instruction: number) {
    this.instruction = instruction
  }
}

/** A place in a program to jump to; `place` fixes it. */
export class Label {
  instruction: number | undefined
  readonly uses: { readonly instruction: number; readonly field: number }[] = []
}

/** There is more to lay out than a program of this size can hold. */
export class ProgramFull extends EngineError {
  constructor() {
    super('invalid-argument', 'argument list too long')
  }
}

export interface CallOptions {
  /** Decoded arguments for the ledger and for errors. */
  readonly args: Readonly<Record<string, TracedValue>>
  /** errno values (at most four) after which the program goes on, at `onAllowed` or at the next instruction. */
  readonly allow?: readonly number[]
  readonly onAllowed?: Label
  /** An errno value after which the call is made again. */
  readonly again?: number
  /** Where to go on when the result is above zero (clone: in the parent). */
  readonly onPositive?: Label
  /** What the user is told when it fails, before the errno's text; the call itself when absent. */
  readonly failure?: string
  /** Not recorded in the ledger: plumbing such as dup3 onto a fixed number. */
  readonly quiet?: boolean
}

export interface Instruction extends CallOptions {
  readonly name: SyscallName
}

/** An executed instruction that failed for good. */
export interface ProgramFailure {
  readonly errno: number
  readonly step: string
  readonly message: string
}
