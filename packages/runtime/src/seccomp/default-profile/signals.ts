import { allow } from './rule.ts'
import type { ProfileRule } from '../profile.ts'

/** Signals. Processes outside the PID namespace cannot be named. */
export const signals: readonly ProfileRule[] = [
  allow([
    'kill', 'pause', 'pidfd_send_signal', 'restart_syscall', 'rt_sigaction', 'rt_sigpending', 'rt_sigprocmask', 'rt_sigqueueinfo',
    'rt_sigreturn', 'rt_sigsuspend', 'rt_sigtimedwait', 'rt_sigtimedwait_time64', 'rt_tgsigqueueinfo', 'sigaltstack', 'signalfd',
    'signalfd4', 'sigprocmask', 'sigreturn', 'tgkill', 'tkill',
  ]),
]
