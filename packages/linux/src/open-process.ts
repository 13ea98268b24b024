import { closeSync } from 'node:fs'
import { Errno } from './errno.ts'
import { pidfdOpen } from './pidfd.ts'
import { processStat } from './process-stat.ts'
import { failedWith } from './syscall-error.ts'

/** What names a process for as long as the machine runs: a pid alone may be another's by now. */
export interface ProcessName {
  readonly pid: number
  /** Field 22 of /proc/PID/stat, as text. */
  readonly startTime: string
}

/**
 * A pidfd of the very process that is meant.
 * @returns undefined when it has ended and was waited for
 * @throws SyscallError when this cannot be told: no descriptor left (EMFILE), no memory. A caller must not take it for the process's end.
 */
export function openProcess({ pid, startTime }: ProcessName): number | undefined {
  if (pid <= 0) return undefined
  let pidfd: number
  try {
    pidfd = pidfdOpen(pid)
  } catch (error) {
    if (failedWith(error, Errno.ESRCH)) return undefined
    throw error
  }
  try {
    // Asked for after the descriptor was opened: so it is that process's.
    if (processStat(pid)?.startTime === startTime) return pidfd
  } catch (error) {
    closeSync(pidfd)
    throw error
  }
  closeSync(pidfd)
  return undefined
}
