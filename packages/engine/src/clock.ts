import { realtime } from '@engine/linux/clock'

const million = 1_000_000n

/** Nanoseconds since the epoch, by the wall clock. */
export const now: () => bigint = realtime

/** Go's RFC3339Nano in UTC, as Docker writes times: `2026-11-23T17:40:46.65306662Z`, without zeros at the end. */
export function rfc3339(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / million)).toISOString().slice(0, 19)
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`
}

/** The reverse of {@link rfc3339}; 0 for a text that is no time, and for Docker's zero time. */
export function parseRfc3339(text: string): bigint {
  const match = /^(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (match === null) return 0n
  const milliseconds = Date.parse(`${match[1]}${match[3]}`)
  if (Number.isNaN(milliseconds) || milliseconds <= 0) return 0n
  return BigInt(milliseconds) * million + BigInt((match[2] ?? '').padEnd(9, '0'))
}
