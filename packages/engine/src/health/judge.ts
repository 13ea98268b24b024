import type { Health, HealthCheck, HealthResult } from './health.ts'

const remembered = 5

/** A container's health at the beginning of a run: what was found before is still shown. */
export function startingHealth(before: Health | undefined): Health {
  return { status: 'starting', failingStreak: 0, log: before?.log ?? [] }
}

/**
 * What a result makes of a container's health (moby: daemon/health.go, handleProbeResult): one success is enough, `retries`
 * failures in a row are needed, and those of the start period do not count while it is starting.
 * @param ran milliseconds from the container's start to the check's
 */
export function judge(before: Health, result: HealthResult, check: Pick<HealthCheck, 'retries' | 'startPeriod'>, ran: number): Health {
  const log = [...before.log, result].slice(-remembered)
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log }
  if (before.status === 'starting' && ran < check.startPeriod) return { ...before, log }
  const failingStreak = before.failingStreak + 1
  return { status: failingStreak >= check.retries ? 'unhealthy' : before.status, failingStreak, log }
}

/** Milliseconds until the next check: shorter ones while the container is starting, within its start period. */
export function untilNextCheck({ status }: Health, check: HealthCheck, ran: number): number {
  return ran < check.startPeriod && status === 'starting' ? check.startInterval : check.interval
}
