import { chmodat, chownat, mknodat } from '@engine/linux/file-at'
import { toHostId, type IdMappings } from '@engine/linux/id-mappings'
import { AT_FDCWD, fsconfig, fsmount, fsopen, MountAttribute, MOVE_MOUNT_F_EMPTY_PATH, mountSetattr, OPEN_TREE_CLONE, Propagation } from '@engine/linux/mount-api'
import { Descriptor } from '@engine/linux/paths'
import { O_CLOEXEC } from '@engine/linux/openat2'
import type { Program, Result } from '@engine/linux/program'
import { MNT_DETACH } from '@engine/linux/unmount'
import type { OciDevice, OciSpec } from '../spec.ts'
import { devicesOf, hasBoundDev, nodeOf } from './devices.ts'
import { hostIds } from './user-namespace.ts'

/** Nodes that are made already, by their numbers in the root of a detached mount. */
export interface PreparedDevices {
  readonly devices: readonly OciDevice[]
  readonly fd: number
}

/** A node as a detached mount of that one file, in the child. */
export interface DetachedDevice {
  readonly device: OciDevice
  readonly mount: Result
}

/**
 * Makes the device nodes of a container with a user namespace of its own, in which nobody can make one that works (mknod(2) takes
 * CAP_MKNOD of the host, and a file system that was mounted in there has no devices). They lie in a small tmpfs of the shim's, which
 * is mounted nowhere and seen by nobody else, and belong to the container's users as the spec says. What belongs to nobody in there (a group of the host's) is root's.
 * @param held takes the mount's descriptor
 */
export function prepareDevices(spec: OciSpec, mappings: IdMappings, held: (fd: number) => void): PreparedDevices {
  const devices = hasBoundDev(spec) ? [] : devicesOf(spec)
  const directory = tmpfs(devices.length, hostIds(mappings))
  held(directory)
  devices.forEach((device, i) => {
    const { type, mode, uid, gid, number } = nodeOf(device)
    const name = String(i)
    mknodat(directory, name, type | 0o600, number)
    chownat(directory, name, toHostId(mappings.uids, uid) ?? 0, toHostId(mappings.gids, gid) ?? 0)
    chmodat(directory, name, mode)
  })
  mountSetattr(directory, { propagation: Propagation.PRIVATE })
  return { devices, fd: directory }
}

/**
 * Appends: each node as a mount of its own. Only what is attached can be cloned (until Linux 6.15), so for that moment their file system
 * is laid over `/`. Were it still there at pivot_root, it would be what is unmounted then, and not the host's root.
 */
export function detachDevices(program: Program, { devices, fd }: PreparedDevices): DetachedDevice[] {
  program.call('move_mount', [fd, program.string(''), AT_FDCWD, program.string('/'), MOVE_MOUNT_F_EMPTY_PATH], { args: { source: 'devices', target: '/' }, failure: 'error creating devices' })
  const detached = devices.map((device, i) => ({
    device,
    mount: program.call('open_tree', [fd, program.string(String(i)), OPEN_TREE_CLONE | O_CLOEXEC], { args: { path: device.path, flags: 'OPEN_TREE_CLONE' }, quiet: true, failure: `error creating device ${device.path}` }),
  }))
  program.call('fchdir', [fd], { args: {}, quiet: true, failure: 'error creating devices' })
  program.call('umount2', [program.string('.'), MNT_DETACH], { args: { target: 'devices', flags: 'MNT_DETACH' }, failure: 'error creating devices' })
  program.call('chdir', [program.string('/')], { args: {}, quiet: true })
  return detached
}

/** @param root host's ids of who looks into it */
function tmpfs(files: number, root: { readonly uid: number; readonly gid: number }): number {
  using context = new Descriptor(fsopen('tmpfs'))
  fsconfig(context.fd, 'source', 'devices')
  fsconfig(context.fd, 'mode', '0700')
  for (const [key, id] of Object.entries(root)) fsconfig(context.fd, key, String(id))
  fsconfig(context.fd, 'size', '4k')
  fsconfig(context.fd, 'nr_inodes', String(files + 2))
  return fsmount(context.fd, MountAttribute.NOSUID | MountAttribute.NOEXEC)
}
