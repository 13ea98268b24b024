import { allow } from './rule.ts'
import type { ProfileRule } from '../profile.ts'

/**
 * CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET: the flags of clone(2) that make namespaces. A user namespace of its own
 * would give any process CAP_SYS_ADMIN over kernel code that was never written for strangers (CVE-2022-0185).
 */
const NAMESPACE_FLAGS = 0x7e02_0000
/** clone(2) has its flags in the second argument there. */
const s390 = ['s390', 's390x']
const ENOSYS = 38

/** personality(2) values: plain, 32-bit, both with uname(2) telling 2.6, and the one that only asks. Others switch address randomisation off. */
const PER_LINUX = 0x0
const PER_LINUX32 = 0x8
const UNAME26 = 0x2_0000
const PER_QUERY = 0xffff_ffff

/** Making processes, running programs, scheduling. */
export const processes: readonly ProfileRule[] = [
  allow([
    'execve', 'execveat', 'exit', 'exit_group', 'fork', 'getcpu', 'getpid', 'getppid', 'gettid', 'pidfd_open', 'prctl', 'rseq',
    'set_tid_address', 'vfork', 'wait4', 'waitid', 'waitpid',
  ]),
  // Sessions, process groups.
  allow([
    'getpgid', 'getpgrp', 'getsid', 'setpgid', 'setsid',
  ]),
  // Scheduling and limits; CAP_SYS_NICE and CAP_SYS_RESOURCE judge what may be raised.
  allow([
    'getpriority', 'getrlimit', 'getrusage', 'ioprio_get', 'ioprio_set', 'prlimit64', 'sched_getaffinity', 'sched_getattr',
    'sched_getparam', 'sched_get_priority_max', 'sched_get_priority_min', 'sched_getscheduler', 'sched_rr_get_interval',
    'sched_rr_get_interval_time64', 'sched_setaffinity', 'sched_setattr', 'sched_setparam', 'sched_setscheduler', 'sched_yield',
    'setpriority', 'setrlimit', 'ugetrlimit',
  ]),
  // About the machine.
  allow([
    'getrandom', 'get_thread_area', 'riscv_hwprobe', 'set_thread_area', 'sysinfo', 'uname', 'uretprobe',
  ]),
  // Threads and processes, but no namespaces. clone3 has its flags in memory, where a filter cannot look: the C library falls back to clone at ENOSYS.
  allow(['clone'], { args: [{ index: 0, value: NAMESPACE_FLAGS, op: 'SCMP_CMP_MASKED_EQ' }], excludes: { caps: ['CAP_SYS_ADMIN'], arches: s390 } }),
  allow(['clone'], { args: [{ index: 1, value: NAMESPACE_FLAGS, op: 'SCMP_CMP_MASKED_EQ' }], includes: { arches: s390 }, excludes: { caps: ['CAP_SYS_ADMIN'] } }),
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, excludes: { caps: ['CAP_SYS_ADMIN'] } },
  ...[PER_LINUX, PER_LINUX32, UNAME26, UNAME26 | PER_LINUX32, PER_QUERY].map((value) => allow(['personality'], { args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] })),
  // Before Linux 4.8 a tracer could change the call after the filter had looked at it (seccomp(2), SECCOMP_RET_TRACE).
  allow(['process_vm_readv', 'process_vm_writev', 'ptrace'], { includes: { minKernel: '4.8' } }),
]
