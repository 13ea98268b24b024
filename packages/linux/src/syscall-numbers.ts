/** System call numbers by architecture (asm/unistd_64.h; asm-generic/unistd.h from 424 on is the same for both). */
const x64 = {
  write: 1, close: 3, ioctl: 16, mprotect: 10, munmap: 11, madvise: 28, rt_sigaction: 13, rt_sigprocmask: 14, clone: 56, execve: 59, wait4: 61,
  fchdir: 81, chdir: 80, umask: 95, setsid: 112, setresuid: 117, setresgid: 119, setgroups: 116, capget: 125, capset: 126, fchown: 93,
  pivot_root: 155, prctl: 157, mount: 165, umount2: 166, sethostname: 170, setdomainname: 171, exit_group: 231, keyctl: 250,
  recvmsg: 47, openat: 257, mkdirat: 258, mknodat: 259, fchownat: 260, symlinkat: 266, fchmodat: 268, unshare: 272, dup3: 292, prlimit64: 302,
  setns: 308, seccomp: 317, sched_setaffinity: 203, setpriority: 141, ioprio_set: 251, futex: 202, fstatfs: 138,
} as const

const arm64: Readonly<Record<keyof typeof x64, number>> = {
  write: 64, close: 57, ioctl: 29, mprotect: 226, munmap: 215, madvise: 233, rt_sigaction: 134, rt_sigprocmask: 135, clone: 220, execve: 221, wait4: 260,
  fchdir: 50, chdir: 49, umask: 166, setsid: 157, setresuid: 147, setresgid: 149, setgroups: 159, capget: 90, capset: 91, fchown: 55,
  pivot_root: 41, prctl: 167, mount: 40, umount2: 39, sethostname: 161, setdomainname: 162, exit_group: 94, keyctl: 219,
  recvmsg: 212, openat: 56, mkdirat: 34, mknodat: 33, fchownat: 54, symlinkat: 36, fchmodat: 53, unshare: 97, dup3: 24, prlimit64: 261,
  setns: 268, seccomp: 277, sched_setaffinity: 122, setpriority: 140, ioprio_set: 30, futex: 98, fstatfs: 44,
}

/** Calls that have one number on every architecture. */
const common = {
  pidfd_send_signal: 424, open_tree: 428, move_mount: 429, fsopen: 430, fsconfig: 431, fsmount: 432, fspick: 433, pidfd_open: 434,
  clone3: 435, close_range: 436, openat2: 437, pidfd_getfd: 438, mount_setattr: 442, quotactl_fd: 443,
} as const

export type SyscallName = keyof typeof x64 | keyof typeof common

const table: Readonly<Record<SyscallName, number>> = { ...(process.arch === 'arm64' ? arm64 : x64), ...common }

/** The number of a system call on this machine. */
export function syscallNumber(name: SyscallName): number {
  return table[name]
}
