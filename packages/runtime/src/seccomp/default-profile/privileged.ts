import { allowWith } from './rule.ts'
import type { ProfileRule } from '../profile.ts'

/**
 * Calls that are allowed to a container with the capability they need. The kernel would refuse them without it in any case; the filter keeps
 * their code out of reach, and out of reach of user namespaces too, where the capability is easily had.
 */
export const privileged: readonly ProfileRule[] = [
  // Mounts, namespaces, quotas, and what else ended up under this capability.
  allowWith('CAP_SYS_ADMIN', [
    'bpf', 'clone', 'clone3', 'fanotify_init', 'fsconfig', 'fsmount', 'fsopen', 'fspick', 'lookup_dcookie', 'lsm_get_self_attr',
    'lsm_list_modules', 'lsm_set_self_attr', 'mount', 'mount_setattr', 'move_mount', 'open_tree', 'perf_event_open', 'quotactl',
    'quotactl_fd', 'setdomainname', 'sethostname', 'setns', 'syslog', 'umount', 'umount2', 'unshare',
  ]),
  // Opens files by their number, past every directory: the way out of a container in 2014 ("shocker").
  allowWith('CAP_DAC_READ_SEARCH', ['open_by_handle_at']),
  allowWith('CAP_SYS_BOOT', ['reboot']),
  allowWith('CAP_SYS_CHROOT', ['chroot']),
  allowWith('CAP_SYS_MODULE', ['delete_module', 'init_module', 'finit_module']),
  allowWith('CAP_SYS_PACCT', ['acct']),
  allowWith('CAP_SYS_PTRACE', ['kcmp', 'pidfd_getfd', 'process_madvise', 'process_vm_readv', 'process_vm_writev', 'ptrace']),
  allowWith('CAP_SYS_RAWIO', ['iopl', 'ioperm']),
  allowWith('CAP_SYS_TIME', ['settimeofday', 'stime', 'clock_settime', 'clock_settime64']),
  allowWith('CAP_SYS_TTY_CONFIG', ['vhangup']),
  allowWith('CAP_SYS_NICE', ['get_mempolicy', 'mbind', 'set_mempolicy', 'set_mempolicy_home_node']),
  allowWith('CAP_SYSLOG', ['syslog']),
  allowWith('CAP_BPF', ['bpf']),
  allowWith('CAP_PERFMON', ['perf_event_open']),
]
