import { release } from 'node:os'
import { syscall } from './libc.ts'
import { door } from './door.ts'
import { ioctl } from './ioctl.ts'
import { failedWith } from './syscall-error.ts'
import { Errno } from './errno.ts'
import { syscallNumber } from './syscall-numbers.ts'
import { decodeWaitStatus, type ProcessEnd } from './wait.ts'

/** _IOWR(0xFF, 11, struct pidfd_info) for the structure's first 64 bytes (linux/pidfd.h, 6.13; PIDFD_INFO_EXIT since 6.15). */
const PIDFD_GET_INFO = 0xc040ff0b
const PIDFD_INFO_SIZE = 64
const PIDFD_INFO_EXIT = 8n

/**
 * pidfd_open(2): a descriptor of a process, close-on-exec. It is readable once the process has ended.
 * @throws SyscallError ESRCH when there is no such process
 */
export function pidfdOpen(pid: number): number {
  return door('pidfd_open', () => ({ pid }), () => syscall(syscallNumber('pidfd_open'), pid, 0, 0, 0, 0, 0))
}

/**
 * pidfd_send_signal(2). Signal 0 only asks whether the process is there.
 * @throws SyscallError ESRCH when it has ended
 */
export function pidfdSendSignal(pidfd: number, signal: number): void {
  door('pidfd_send_signal', () => ({ pidfd, signal }), () => syscall(syscallNumber('pidfd_send_signal'), pidfd, signal, 0, 0, 0, 0))
}

/**
 * pidfd_getfd(2): a duplicate, here and close-on-exec, of another process's descriptor. Needs the right to trace it.
 * @throws SyscallError EBADF when it has no such descriptor
 */
export function pidfdGetfd(pidfd: number, targetFd: number): number {
  return door('pidfd_getfd', () => ({ pidfd, targetFd }), () => syscall(syscallNumber('pidfd_getfd'), pidfd, targetFd, 0, 0, 0, 0))
}

const [major = 0, minor = 0] = release().split('.').map(Number)

/** Whether this kernel is one whose pidfds tell how a process ended: see {@link pidfdExitStatus}. */
export const pidfdsTellExits = major > 6 || (major === 6 && minor >= 15)

/**
 * How a process ended that is not a child of ours, once its parent has reaped it (Linux 6.15). The descriptor must have been
 * opened before that.
 * @returns undefined when it has not been reaped yet, or the kernel is too old to say
 */
export function pidfdExitStatus(pidfd: number): ProcessEnd | undefined {
  const info = Buffer.alloc(PIDFD_INFO_SIZE)
  info.writeBigUInt64LE(PIDFD_INFO_EXIT, 0)
  try {
    ioctl(pidfd, 'PIDFD_GET_INFO', PIDFD_GET_INFO, info)
  } catch (error) {
    // ENOTTY before 6.13, EINVAL for a mask that is not known; ESRCH while it is gone but nothing was recorded.
    if (failedWith(error, Errno.ENOTTY, Errno.EINVAL, Errno.ESRCH)) return undefined
    throw error
  }
  return (info.readBigUInt64LE(0) & PIDFD_INFO_EXIT) === 0n ? undefined : decodeWaitStatus(info.readInt32LE(60))
}
