import { machineCode } from './machine-code.ts'

interface Moment {
  readonly ticks: bigint
  /** Monotonic, ns. */
  readonly nanoseconds: bigint
}

const now = (): Moment => ({ ticks: machineCode().ticks(), nanoseconds: process.hrtime.bigint() })

let first: Moment | undefined

/** Remembers a first pair of counter and clock; the longer ago, the better the later conversions. */
export function startClock(): void {
  first ??= now()
}

/**
 * A conversion of counter values to time, from the pair remembered by `startClock` and one taken now (at least 1 ms later).
 * @returns functions giving the nanoseconds of a distance, and nanoseconds since the epoch of a moment
 */
export function ticksClock(): { nanoseconds(ticks: bigint): number; epoch(ticks: bigint): bigint } {
  startClock()
  const start = first as Moment
  let end = now()
  while (end.nanoseconds - start.nanoseconds < 1_000_000n) end = now()
  const elapsed = end.nanoseconds - start.nanoseconds
  const counted = end.ticks - start.ticks
  const epochNow = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n
  const scale = (ticks: bigint): bigint => (ticks * elapsed) / counted
  return {
    nanoseconds: (ticks) => Number(scale(ticks)),
    epoch: (ticks) => epochNow - scale(end.ticks - ticks),
  }
}
