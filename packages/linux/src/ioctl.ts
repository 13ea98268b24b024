import { door } from './door.ts'
import { addressOf, syscall } from './libc.ts'
import { syscallNumber } from './syscall-numbers.ts'
import type { TracedValue } from './tracer.ts'

/**
 * ioctl(2).
 * @param name     the request's name, as the ledger shows it
 * @param argument a number, or memory that the kernel reads or writes
 * @param shown    what of the argument the ledger shows
 * @throws SyscallError
 */
export function ioctl(fd: number, name: string, request: number, argument: Buffer | number, shown: Readonly<Record<string, TracedValue>> = {}): number {
  const value = typeof argument === 'number' ? argument : addressOf(argument)
  return door('ioctl', () => ({ fd, request: name, ...shown }), () => syscall(syscallNumber('ioctl'), fd, request, value, 0, 0, 0))
}
