import { allow } from './rule.ts'
import type { ProfileRule } from '../profile.ts'

/** Waiting for input and output. */
export const waiting: readonly ProfileRule[] = [
  // Waiting for descriptors.
  allow([
    'epoll_create', 'epoll_create1', 'epoll_ctl', 'epoll_ctl_old', 'epoll_pwait', 'epoll_pwait2', 'epoll_wait', 'epoll_wait_old',
    '_newselect', 'poll', 'ppoll', 'ppoll_time64', 'pselect6', 'pselect6_time64', 'select',
  ]),
  // Pipes and counters.
  allow([
    'eventfd', 'eventfd2', 'pipe', 'pipe2',
  ]),
  // Asynchronous I/O of the old kind. io_uring is missing on purpose: it makes calls that no filter sees, and was a source of exploits.
  allow([
    'io_cancel', 'io_destroy', 'io_getevents', 'io_pgetevents', 'io_pgetevents_time64', 'io_setup', 'io_submit',
  ]),
]
