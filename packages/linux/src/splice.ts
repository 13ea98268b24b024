import { libc } from './libc.ts'
import { door, doorIfReady } from './door.ts'

const SPLICE_F_MOVE = 1
const SPLICE_F_NONBLOCK = 2

const call = libc.func('int64 splice(int, void *, int, void *, size_t, uint)') as (
  from: number,
  fromOffset: null,
  to: number,
  toOffset: Buffer | null,
  length: number,
  flags: number,
) => number | bigint

const offsetBytes = Buffer.alloc(8)

/**
 * splice(2) from a pipe to a position in a file, without blocking on the pipe. What was taken from the pipe is in the file:
 * a process killed in between loses nothing.
 * @param offset where in the file, in bytes
 * @param length at most so many bytes
 * @returns bytes moved; 0 when no writer is left and the pipe is empty
 * @throws SyscallError EAGAIN when the pipe is empty, ENOSPC or EDQUOT when the file cannot grow
 */
export function spliceToFile(pipe: number, file: number, offset: number, length: number): number {
  offsetBytes.writeBigInt64LE(BigInt(offset))
  return door('splice', () => ({ pipe, file, offset, length }), () => call(pipe, null, file, offsetBytes, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK))
}

/** splice(2) from a pipe to something without a position, such as /dev/null. Returns and throws as spliceToFile. */
export function spliceAway(pipe: number, sink: number, length: number): number {
  return door('splice', () => ({ pipe, sink, length }), () => call(pipe, null, sink, null, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK))
}

/**
 * splice(2) between a non-blocking socket and a pipe, in either direction: pages move, bytes are not copied.
 * @param length at most so many bytes
 * @returns bytes moved, 0 at the end of `from`; undefined when nothing is there or nothing fits
 * @throws SyscallError
 */
export function spliceIfReady(from: number, to: number, length: number): number | undefined {
  return doorIfReady('splice', () => ({ from, to, length }), () => call(from, null, to, null, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK))
}
