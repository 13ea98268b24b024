import { closeSync } from 'node:fs'
import { chmodat, chownat, mknodat } from '@engine/linux/file-at'
import { toHostId, type IdMappings } from '@engine/linux/id-mappings'
import { fsconfig, fsmount, fsopen, MountAttribute, mountSetattr, OPEN_TREE_CLONE, openTree, Propagation } from '@engine/linux/mount-api'
import type { OciDevice, OciSpec } from '../spec.ts'
import { devicesOf, hasBoundDev, nodeOf } from './devices.ts'

/** A node that is made already, as a detached mount of that one file. */
export interface PreparedDevice {
  readonly device: OciDevice
  readonly fd: number
}

/**
 * Makes the device nodes of a container with a user namespace of its own, in which nobody can make one that works (mknod(2) takes
 * CAP_MKNOD of the host, and a file system that was mounted in there has no devices). They lie in a small tmpfs of the shim's, which
 * is mounted nowhere and seen by nobody else, and belong to the container's users as the spec says. What belongs to nobody in there (a group of the host's) is root's.
 * @param held takes the descriptors
 */
export function prepareDevices(spec: OciSpec, mappings: IdMappings, held: (fd: number) => void): PreparedDevice[] {
  if (hasBoundDev(spec)) return []
  const devices = devicesOf(spec)
  const directory = tmpfs(devices.length)
  try {
    return devices.map((device, i) => {
      const { type, mode, uid, gid, number } = nodeOf(device)
      const name = String(i)
      mknodat(directory, name, type | 0o600, number)
      chownat(directory, name, toHostId(mappings.uids, uid) ?? 0, toHostId(mappings.gids, gid) ?? 0)
      chmodat(directory, name, mode)
      const fd = openTree(directory, name, OPEN_TREE_CLONE)
      held(fd)
      mountSetattr(fd, { set: MountAttribute.NOSUID | MountAttribute.NOEXEC, propagation: Propagation.PRIVATE })
      return { device, fd }
    })
  } finally {
    closeSync(directory)
  }
}

function tmpfs(files: number): number {
  const context = fsopen('tmpfs')
  try {
    fsconfig(context, 'source', 'devices')
    fsconfig(context, 'mode', '0700')
    fsconfig(context, 'size', '4k')
    fsconfig(context, 'nr_inodes', String(files + 2))
    return fsmount(context, MountAttribute.NOSUID | MountAttribute.NOEXEC)
  } finally {
    closeSync(context)
  }
}
