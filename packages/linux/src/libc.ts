import koffi from 'koffi'

/** The C library of this process; files here declare the functions they need from it with `libc.func(prototype)`. */
export const libc = koffi.load('libc.so.6')

/**
 * syscall(2) with up to six integer or pointer arguments. Acts on the calling thread only, which is what
 * credentials, namespaces and filters need here. Returns -1 with errno set on failure.
 * A pointer is a Buffer (its memory) or a BigInt (an address).
 */
export const syscall: (nr: number, a: bigint | number, b: bigint | number, c: bigint | number, d: bigint | number, e: bigint | number, f: bigint | number) => number = libc.func(
  'long syscall(long, int64, int64, int64, int64, int64, int64)',
)

/** The address of a Buffer's first byte. The caller keeps the Buffer alive for as long as the kernel may use it. */
export function addressOf(buffer: Buffer): bigint {
  return koffi.address(buffer)
}
