import { allow, type ProfileArguments } from './rule.ts'
import type { ProfileRule } from '../profile.ts'

const AF_ALG = 38
const AF_VSOCK = 40

function family(op: 'SCMP_CMP_LT' | 'SCMP_CMP_EQ' | 'SCMP_CMP_GT', value: number): ProfileArguments {
  return { args: [{ index: 0, value, op }] }
}

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
  allow(['socket'], family('SCMP_CMP_LT', AF_ALG)),
  allow(['socket'], family('SCMP_CMP_EQ', AF_ALG + 1)),
  allow(['socket'], family('SCMP_CMP_GT', AF_VSOCK)),
]
