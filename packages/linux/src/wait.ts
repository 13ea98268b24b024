import { libc } from './libc.ts'
import { door } from './door.ts'

/** How a process ended: by exit(3) with a code of 0 to 255, or by a signal. */
export type ProcessEnd = { readonly code: number; readonly signal?: never } | { readonly signal: number; readonly code?: never }

const P_PIDFD = 3
const WNOHANG = 1
const WEXITED = 4
const CLD_EXITED = 1

// siginfo_t on 64-bit Linux: si_signo@0, si_code@8, then the union at 16: si_pid@16, si_uid@20, si_status@24.
const SIGINFO_SIZE = 128

const waitid = libc.func('int waitid(int, uint32, void *, int)') as (type: number, id: number, info: Buffer, options: number) => number

/** A wait status as wait(2) and the kernel encode it: a signal in the low seven bits, or an exit code in the second byte. */
export function decodeWaitStatus(status: number): ProcessEnd {
  const signal = status & 0x7f
  return signal === 0 ? { code: (status >> 8) & 0xff } : { signal }
}

/**
 * waitid(2) for a child by its pidfd, without waiting: reaps it if it has ended.
 * Node's own child_process is not disturbed: it only waits for pids that it made.
 * @returns undefined when it is still running
 * @throws SyscallError ECHILD when it is no child of this process (or was reaped before)
 */
export function reap(pidfd: number): ProcessEnd | undefined {
  return wait(pidfd, WNOHANG)
}

/** The same for a child that is ending right now: blocks this thread until it has. @throws SyscallError ECHILD */
export function reapEnding(pidfd: number): ProcessEnd {
  return wait(pidfd, 0) as ProcessEnd
}

function wait(pidfd: number, options: number): ProcessEnd | undefined {
  const info = Buffer.alloc(SIGINFO_SIZE)
  door('waitid', () => ({ pidfd, options: options === WNOHANG ? 'WEXITED|WNOHANG' : 'WEXITED' }), () => waitid(P_PIDFD, pidfd, info, WEXITED | options))
  if (info.readInt32LE(16) === 0) return undefined
  const status = info.readInt32LE(24)
  return info.readInt32LE(8) === CLD_EXITED ? { code: status & 0xff } : { signal: status }
}

const waitpid = libc.func('int waitpid(int, void *, int)') as (pid: number, status: Buffer, options: number) => number

/**
 * waitpid(2) for one child. Without `noHang` it blocks this thread until the child has ended.
 * @returns the wait status as decodeWaitStatus takes it; undefined with `noHang` while the child runs
 * @throws SyscallError ECHILD when it is no child of this process (or was reaped before)
 */
export function waitPid(pid: number, options: { readonly noHang?: boolean } = {}): number | undefined {
  const status = Buffer.alloc(4)
  const flags = options.noHang === true ? WNOHANG : 0
  const waited = door('waitpid', () => ({ pid, options: flags === 0 ? 0 : 'WNOHANG' }), () => waitpid(pid, status, flags))
  return waited === 0 ? undefined : status.readInt32LE(0)
}
