import { EngineError } from './error.ts'
import { errnoName, errnoText } from './errno.ts'
import type { TracedValue } from './tracer.ts'

/** A system call that failed: which, with what, and why. The only error that package linux throws. */
export class SyscallError extends EngineError {
  readonly syscall: string
  readonly args: Readonly<Record<string, TracedValue>>
  readonly errno: number
  /** errno's name, `EPERM`. */
  readonly errnoName: string

  constructor(syscall: string, args: Readonly<Record<string, TracedValue>>, errno: number) {
    const shown = Object.entries(args)
      .map(([name, value]) => `${name}=${typeof value === 'string' ? JSON.stringify(value) : value}`)
      .join(', ')
    super('internal', `${syscall}(${shown}): ${errnoText(errno)}`)
    this.name = 'SyscallError'
    this.syscall = syscall
    this.args = args
    this.errno = errno
    this.errnoName = errnoName(errno)
  }
}

/** Whether `error` is a failed system call with one of these errno values. */
export function failedWith(error: unknown, ...errnos: readonly number[]): error is SyscallError {
  return error instanceof SyscallError && errnos.includes(error.errno)
}
