import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { Errno, failedWith } from '@engine/linux'
import { pidfdOpen, pidfdSendSignal } from '@engine/linux/pidfd'
import { processStat } from '@engine/linux/process-stat'

/**
 * Sends a signal by pidfd, and only to the very process: its number may be another's by now.
 * @param process pid and field 22 of /proc/<pid>/stat
 * @returns false when the process is gone
 */
export function signalProcess(process: { readonly pid: number; readonly startTime: string }, signal: number | NodeJS.Signals): boolean {
  if (process.pid === 0) return false
  let pidfd: number
  try {
    pidfd = pidfdOpen(process.pid)
  } catch (error) {
    if (failedWith(error, Errno.ESRCH)) return false
    throw error
  }
  try {
    if (processStat(process.pid)?.startTime !== process.startTime) return false
    pidfdSendSignal(pidfd, typeof signal === 'number' ? signal : constants.signals[signal])
    return true
  } catch (error) {
    if (failedWith(error, Errno.ESRCH)) return false
    throw error
  } finally {
    closeSync(pidfd)
  }
}
