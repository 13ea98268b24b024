import { allow } from './rule.ts'
import type { ProfileRule } from '../profile.ts'

/** Between processes: System V and POSIX messages, semaphores, shared memory, futexes. They are a namespace of the container's own. */
export const ipc: readonly ProfileRule[] = [
  allow([
    'futex', 'futex_requeue', 'futex_time64', 'futex_wait', 'futex_waitv', 'futex_wake', 'get_robust_list', 'ipc', 'mq_getsetattr',
    'mq_notify', 'mq_open', 'mq_timedreceive', 'mq_timedreceive_time64', 'mq_timedsend', 'mq_timedsend_time64', 'mq_unlink', 'msgctl',
    'msgget', 'msgrcv', 'msgsnd', 'semctl', 'semget', 'semop', 'semtimedop', 'semtimedop_time64', 'set_robust_list', 'shmat', 'shmctl',
    'shmdt', 'shmget',
  ]),
]
