import type { Profile } from '../profile.ts'
import { architecture } from './architecture.ts'
import { credentials } from './credentials.ts'
import { files } from './files.ts'
import { ipc } from './ipc.ts'
import { memory } from './memory.ts'
import { network } from './network.ts'
import { privileged } from './privileged.ts'
import { processes } from './processes.ts'
import { signals } from './signals.ts'
import { time } from './time.ts'
import { waiting } from './waiting.ts'

/**
 * The filter of every container that asks for no other: what is not named here is refused with EPERM.
 * It means the same as Docker's; docs/decisions/0005-seccomp-profile.md says where not, and how that is tested.
 * Left out on purpose, besides what the subjects say: keyctl, add_key and request_key (keys are not in a namespace), userfaultfd, io_uring,
 * kexec, swapon, nfsservctl, uselib, ustat, sysfs, _sysctl, move_pages and migrate_pages.
 */
export const builtinProfile: Profile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
    { architecture: 'SCMP_ARCH_S390X', subArchitectures: ['SCMP_ARCH_S390'] },
    { architecture: 'SCMP_ARCH_RISCV64', subArchitectures: [] },
    { architecture: 'SCMP_ARCH_LOONGARCH64', subArchitectures: [] },
  ],
  syscalls: [...files, ...memory, ...processes, ...credentials, ...signals, ...ipc, ...waiting, ...network, ...time, ...architecture, ...privileged],
}
