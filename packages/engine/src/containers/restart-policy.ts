import type { HostConfigView } from '../types/container-config.ts'

const firstDelay = 100
const longestDelay = 60_000
/** A container that ran this long begins with the shortest delay again. */
const settled = 10_000

export interface Ended {
  readonly exitCode: number
  /** Milliseconds that it ran. */
  readonly ran: number
  /** How often the policy has started it again already. */
  readonly restartCount: number
  /** A request stopped it, or its signal cancelled the policy. */
  readonly cancelled: boolean
  /** Some signal was sent to it by request, be it one that leaves the policy alone. */
  readonly manuallyStopped: boolean
}

/**
 * Whether a container that has ended is started again, and after how long.
 * Docker's rule: 100 ms, doubled each time up to a minute, from the beginning after 10 s of running.
 * @param lastDelay milliseconds waited the time before; 0 for the first
 * @returns milliseconds to wait, or undefined for no restart
 */
export function restartDelay(policy: HostConfigView['RestartPolicy'], ended: Ended, lastDelay: number): number | undefined {
  if (ended.cancelled || !wanted(policy, ended)) return undefined
  if (lastDelay === 0 || ended.ran >= settled) return firstDelay
  return Math.min(lastDelay * 2, longestDelay)
}

function wanted(policy: HostConfigView['RestartPolicy'], ended: Pick<Ended, 'manuallyStopped' | 'exitCode' | 'restartCount'>): boolean {
  switch (policy.Name) {
    case 'always':
      return true
    case 'unless-stopped':
      return !ended.manuallyStopped
    case 'on-failure':
      return ended.exitCode !== 0 && (policy.MaximumRetryCount === 0 || ended.restartCount < policy.MaximumRetryCount)
    default:
      return false
  }
}

/**
 * Whether a container that is not running is started when engined starts. Docker asks the same question as at a container's end, and
 * has forgotten what cancelled its policy: one that was stopped by request comes back with `always`, and with `on-failure` unless
 * its exit status is 0 (measured with 28.5; its documentation says otherwise of `on-failure`).
 */
export function startsWithDaemon(policy: HostConfigView['RestartPolicy'], state: Pick<Ended, 'manuallyStopped' | 'exitCode' | 'restartCount'>): boolean {
  return wanted(policy, state)
}
