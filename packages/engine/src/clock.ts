const million = 1_000_000n

let base = BigInt(Date.now()) * million - process.hrtime.bigint()

/**
 * Nanoseconds since the epoch. Goes on by the monotonic clock, so that two moments in a row keep their order;
 * set back to the wall clock when that was changed (or slewed) by more than 5 ms.
 */
export function now(): bigint {
  const moment = base + process.hrtime.bigint()
  const wall = BigInt(Date.now()) * million
  const ahead = moment - wall
  // Date.now() cuts to the millisecond, so up to 1 ms ahead is no difference.
  if (ahead < 6n * million && ahead > -5n * million) return moment
  base += wall - moment
  return wall
}

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
