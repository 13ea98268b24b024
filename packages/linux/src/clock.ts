import { libc } from './libc.ts'

const CLOCK_REALTIME = 0
const clockGettime = libc.func('int clock_gettime(int, void *)') as (clock: number, time: Buffer) => number
const time = Buffer.alloc(16)

/**
 * clock_gettime(CLOCK_REALTIME): nanoseconds since the epoch. Not through the door: it cannot fail, does nothing that the
 * ledger is for, and tracers ask for the time themselves.
 */
export function realtime(): bigint {
  clockGettime(CLOCK_REALTIME, time)
  return time.readBigInt64LE(0) * 1_000_000_000n + time.readBigInt64LE(8)
}
