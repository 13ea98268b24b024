import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { Errno, failedWith } from '@engine/linux'
import { openProcess, type ProcessName } from '@engine/linux/open-process'
import { pidfdSendSignal } from '@engine/linux/pidfd'

/**
 * Sends a signal by pidfd, and only to the very process: its number may be another's by now.
 * @returns false when the process is gone
 */
export function signalProcess(process: ProcessName, signal: number | NodeJS.Signals): boolean {
  const pidfd = openProcess(process)
  if (pidfd === undefined) return false
  try {
    pidfdSendSignal(pidfd, typeof signal === 'number' ? signal : constants.signals[signal])
    return true
  } catch (error) {
    if (failedWith(error, Errno.ESRCH)) return false
    throw error
  } finally {
    closeSync(pidfd)
  }
}
