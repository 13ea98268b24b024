import { Descriptor } from './descriptor.ts'
import { Errno } from './errno.ts'
import { fsmount, fsopen, MountAttribute } from './mount-api.ts'
import { failedWith, SyscallError } from './syscall-error.ts'
import { traced } from './tracer.ts'

/** After how many namespaces an instance of procfs is let go. */
const most = 64

let instance: Descriptor | undefined
let uses = 0
let refused = false

/**
 * The directory of a procfs that no path leads to, for /proc/sys of other network namespaces. In one instance the entries of all
 * namespaces (`net/ipv6/conf/eth0` of each) are links of the same few hash chains, since the kernel keys them by parent and name and
 * tells them apart only by comparing: beside 500 containers every access walks 500 entries, for whoever reads /proc/sys. Here the
 * chains end when the instance is replaced, and those of the host's own /proc stay short (fs/proc/proc_sysctl.c, proc_sys_compare).
 * @returns the path that leads there; `/proc` where none can be mounted
 */
export function privateProc(): string {
  if (refused) return '/proc'
  if (uses++ % most === 0) {
    instance?.close()
    instance = undefined
  }
  try {
    // Nobody's ledger wants this: it is not done for one container.
    instance ??= traced(() => undefined, mountProc)
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    // A want of descriptors or memory passes.
    refused = failedWith(error, Errno.EPERM, Errno.EACCES, Errno.ENOSYS, Errno.ENODEV)
    return '/proc'
  }
  return `/proc/self/fd/${instance.fd}`
}

function mountProc(): Descriptor {
  using fs = new Descriptor(fsopen('proc'))
  return new Descriptor(fsmount(fs.fd, MountAttribute.NOSUID | MountAttribute.NODEV | MountAttribute.NOEXEC))
}
