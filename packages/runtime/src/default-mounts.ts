import { existsSync } from 'node:fs'
import type { OciMount } from './spec.ts'

/** Docker's default size of /dev/shm. */
export const defaultShmSize = 64 * 1024 * 1024

export interface DefaultMountOptions {
  /** `private` and `shareable` have a /dev/shm of their own (a shareable one is made outside and bound), `none` has none, `host` the host's, `container` another's. */
  readonly ipc: 'private' | 'shareable' | 'none' | 'host' | 'container'
  /** Bytes of /dev/shm when it is the container's own. */
  readonly shmSize?: number
  /** Directory of the tmpfs that is bound to /dev/shm, with `shareable` and `container`. */
  readonly shmPath?: string
  readonly privileged: boolean
  /** With a user namespace and the host's network /sys is bound from the host: sysfs belongs to a network namespace, and only its owner may mount it. */
  readonly userNamespace?: boolean
  readonly hostNetwork?: boolean
}

/**
 * What Docker mounts in every container, in order, before its own /etc files and the user's mounts.
 * The cgroup mount is one entry of type `cgroup`; process/cgroup-mount.ts makes of it what this host has.
 */
export function defaultMounts(options: DefaultMountOptions): OciMount[] {
  const readonly = options.privileged ? [] : ['ro']
  const sysfs: OciMount =
    options.userNamespace === true && options.hostNetwork === true
      ? { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', 'nosuid', 'noexec', 'nodev', ...readonly] }
      : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', ...readonly] }
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
    sysfs,
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...readonly, 'nosuid', 'noexec', 'nodev'] },
    ...mqueue(options),
    ...shm(options),
  ]
}

/**
 * With the host's IPC namespace the kernel gives the host's queues; to a user namespace, to which that does not belong, it gives none,
 * and what the host has mounted is bound.
 */
function mqueue({ ipc, userNamespace = false }: DefaultMountOptions): OciMount[] {
  const options = ['nosuid', 'noexec', 'nodev']
  if (!userNamespace || ipc !== 'host') return [{ destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options }]
  return existsSync('/dev/mqueue') ? [{ destination: '/dev/mqueue', type: 'bind', source: '/dev/mqueue', options: ['rbind', 'rprivate', ...options] }] : []
}

function shm(options: DefaultMountOptions): OciMount[] {
  switch (options.ipc) {
    case 'none':
      return []
    case 'private':
      return [shmFilesystem(options.shmSize ?? defaultShmSize)]
    case 'host':
      return [{ destination: '/dev/shm', type: 'bind', source: '/dev/shm', options: ['rbind', 'rprivate'] }]
    case 'shareable':
    case 'container':
      return options.shmPath === undefined ? [] : [{ destination: '/dev/shm', type: 'bind', source: options.shmPath, options: ['rbind', 'rprivate'] }]
  }
}

/** The tmpfs of /dev/shm: in the container, or on the host for one that others may join. */
export function shmFilesystem(size: number): OciMount {
  return { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${size}`] }
}
