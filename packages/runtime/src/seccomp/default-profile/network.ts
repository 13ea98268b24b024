import { allow } from './rule.ts'
import type { ProfileRule } from '../profile.ts'

/**
 * Ranges of address families that cover 0 to 63 but for AF_ALG (38) and AF_VSOCK (40): a range is what is left of a number when the mask's
 * zeros do not count. The mask has 32 bits because socket(2) looks at no more: a filter that compares 64 would let 2^32 + 38 pass for a
 * large number, and the kernel would then open an AF_ALG socket.
 */
const families: readonly (readonly [first: number, mask: number])[] = [
  [0, 0xffff_ffe0],
  [32, 0xffff_fffc],
  [36, 0xffff_fffe],
  [39, 0xffff_ffff],
  [41, 0xffff_ffff],
  [42, 0xffff_fffe],
  [44, 0xffff_fffc],
  [48, 0xffff_fff0],
]

/**
 * Sockets. Two address families are refused: AF_ALG, the kernel's cryptography, which let an unprivileged process write into the page cache
 * of files it could only read (CVE-2026-31431, "Copy Fail"), and AF_VSOCK, which reaches the hypervisor past every network namespace.
 * socketcall(2) of 32-bit programs carries its arguments in memory, where a filter cannot look: an LSM has to do it there.
 */
export const network: readonly ProfileRule[] = [
  allow([
    'accept', 'accept4', 'bind', 'connect', 'getpeername', 'getsockname', 'getsockopt', 'listen', 'recv', 'recvfrom', 'recvmmsg',
    'recvmmsg_time64', 'recvmsg', 'send', 'sendmmsg', 'sendmsg', 'sendto', 'setsockopt', 'shutdown', 'socketcall', 'socketpair',
  ]),
  ...families.map(([valueTwo, value]) => allow(['socket'], { args: [{ index: 0, value, valueTwo, op: 'SCMP_CMP_MASKED_EQ' }] })),
]
