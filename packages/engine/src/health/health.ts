import { EngineError } from '@engine/linux'
import type { ContainerConfigView, HealthConfig } from '../types/container-config.ts'

/** One run of a check. */
export interface HealthResult {
  /** RFC 3339 with nanoseconds. */
  readonly start: string
  readonly end: string
  /** -1 when it could not be run, or took too long. */
  readonly exitCode: number
  readonly output: string
}

/** What is known of a container's health. It outlasts the container's runs, as Docker's does. */
export interface Health {
  readonly status: 'starting' | 'healthy' | 'unhealthy'
  readonly failingStreak: number
  /** The last five. */
  readonly log: readonly HealthResult[]
}

/** A check as it is carried out. Times in milliseconds. */
export interface HealthCheck {
  readonly command: readonly string[]
  readonly interval: number
  readonly timeout: number
  readonly startPeriod: number
  readonly startInterval: number
  readonly retries: number
}

const nanoseconds = 1e6

/** What is checked of a container; undefined when nothing is: no check, or NONE. */
export function healthCheck({ Healthcheck: given, Shell }: Pick<ContainerConfigView, 'Healthcheck' | 'Shell'>): HealthCheck | undefined {
  const [kind, ...words] = given?.Test ?? []
  if (given === undefined || (kind !== 'CMD' && kind !== 'CMD-SHELL')) return undefined
  const time = (value: number | null | undefined, otherwise: number): number => (value ? value / nanoseconds : otherwise)
  return {
    command: kind === 'CMD' ? words : [...(Shell ?? ['/bin/sh', '-c']), ...words],
    interval: time(given.Interval, 30_000),
    timeout: time(given.Timeout, 30_000),
    startPeriod: time(given.StartPeriod, 0),
    startInterval: time(given.StartInterval, 5_000),
    retries: given.Retries || 3,
  }
}

/** @throws EngineError invalid-argument in Docker's words */
export function checkHealthConfig(given: HealthConfig | null | undefined): void {
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const value = given?.[field] ?? 0
    if (value !== 0 && value < nanoseconds) throw new EngineError('invalid-argument', `${field} in Healthcheck cannot be less than 1ms`)
  }
  if ((given?.Retries ?? 0) < 0) throw new EngineError('invalid-argument', 'Retries in Healthcheck cannot be negative')
}
