import koffi from 'koffi'
import { Errno, errnoName } from './errno.ts'
import { SyscallError } from './syscall-error.ts'
import { tracer, type TracedValue, type Tracer } from './tracer.ts'

type Args = Readonly<Record<string, TracedValue>>

/**
 * The one door to the kernel: makes a call, retries it on EINTR, reports it to the tracer, and throws what failed.
 * @param name  the system call's name, as the ledger and errors show it
 * @param args  its decoded arguments; asked for only when somebody reads them
 * @param invoke makes the call and returns what libc returned: -1 (or less) means failure, with errno set
 * @returns what the call returned
 * @throws SyscallError with errno when it failed
 */
export function door(name: string, args: () => Args, invoke: () => number | bigint): number {
  const report = tracer()
  const start = report === undefined ? 0n : process.hrtime.bigint()
  let result = Number(invoke())
  let errno = result < 0 ? koffi.errno() : 0
  while (errno === Errno.EINTR) {
    result = Number(invoke())
    errno = result < 0 ? koffi.errno() : 0
  }
  return judge(name, args, result, errno, report, start)
}

/**
 * The same for a call of which some failures are answers and no errors, so common that making an error for each would cost more than
 * the call: a file without an attribute, a name that is free. Such an answer is in no ledger.
 * @param expected errno values that are such answers
 * @returns what the call returned, or the negative of one of `expected`
 * @throws SyscallError with any other errno
 */
export function lenientDoor(name: string, args: () => Args, expected: readonly number[], invoke: () => number | bigint): number {
  const report = tracer()
  const start = report === undefined ? 0n : process.hrtime.bigint()
  for (;;) {
    const result = Number(invoke())
    const errno = result < 0 ? koffi.errno() : 0
    if (errno === Errno.EINTR) continue
    return expected.includes(errno) ? -errno : judge(name, args, result, errno, report, start)
  }
}

/** The same for a call on something non-blocking, in a loop that expects nothing to be there. @returns undefined on EAGAIN */
export function doorIfReady(name: string, args: () => Args, invoke: () => number | bigint): number | undefined {
  const result = lenientDoor(name, args, [Errno.EAGAIN], invoke)
  return result === -Errno.EAGAIN ? undefined : result
}

/** What koffi calls when a call on another thread has come back. */
export type Done = (error: Error | null, result: number | bigint) => void

/**
 * The same for a call that another thread makes (koffi's `.async`, a thread of libuv's pool), so that this one goes on meanwhile.
 * @param invoke begins the call
 * @returns what the call returned
 * @throws SyscallError as a rejection
 */
export async function asynchronousDoor(name: string, args: () => Args, invoke: (done: Done) => void): Promise<number> {
  const report = tracer()
  const start = report === undefined ? 0n : process.hrtime.bigint()
  for (;;) {
    const { result, errno } = await new Promise<{ result: number; errno: number }>((resolve, reject) =>
      invoke((error, value) => {
        const result = Number(value)
        // koffi hands the other thread's errno over for as long as this callback runs.
        if (error === null) resolve({ result, errno: result < 0 ? koffi.errno() : 0 })
        else reject(error)
      }),
    )
    if (errno !== Errno.EINTR) return judge(name, args, result, errno, report, start)
  }
}

function judge(name: string, args: () => Args, result: number, errno: number, report: Tracer | undefined, start: bigint): number {
  if (report !== undefined) {
    const nanoseconds = Number(process.hrtime.bigint() - start)
    report(errno === 0 ? { call: name, args: args(), result, nanoseconds } : { call: name, args: args(), result: -1, errno: errnoName(errno), nanoseconds })
  }
  if (errno !== 0) throw new SyscallError(name, args(), errno)
  return result
}
