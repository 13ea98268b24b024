import { parseRfc3339 } from '../clock.ts'
import type { Health } from '../health/health.ts'
import type { ContainerState } from './state.ts'

const minute = 60
const hour = 60 * minute
const day = 24 * hour

/** A span of time as Docker's go-units says it: `About a minute`, `3 hours`. @param seconds whole seconds */
export function humanDuration(seconds: number): string {
  const hours = Math.round(seconds / hour)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < minute) return `${seconds} seconds`
  const minutes = Math.floor(seconds / minute)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`
  return `${Math.floor(Math.floor(seconds / day) / 365)} years`
}

/** `Status` of containers/json, which clients print as it is: `Up 3 minutes (Paused)`, `Exited (0) 2 hours ago`. */
export function statusText(state: ContainerState, now: bigint, health?: Health['status']): string {
  const since = (time: string): string => humanDuration(Math.max(0, Number((now - parseRfc3339(time)) / 1_000_000_000n)))
  switch (state.status) {
    case 'running':
      return `Up ${since(state.startedAt)}${health === undefined ? '' : ` (${health === 'starting' ? 'health: starting' : health})`}`
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`
    case 'removing':
      return 'Removal In Progress'
    case 'dead':
      return 'Dead'
    case 'created':
      return 'Created'
    case 'exited':
      return parseRfc3339(state.finishedAt) === 0n ? '' : `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`
  }
}
