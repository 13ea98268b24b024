import { AT_EMPTY_PATH, AT_RECURSIVE } from './at-flags.ts'
import { cString } from './c-string.ts'
import { addressOf, syscall } from './libc.ts'
import { door } from './door.ts'
import { syscallNumber } from './syscall-numbers.ts'

/** fsmount(2), mount_setattr(2): attributes of a mount. */
export const MountAttribute = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  NOATIME: 0x10,
  STRICTATIME: 0x20,
  /** The three atime bits together: clear them before another of them is set. */
  ATIME: 0x70,
  NODIRATIME: 0x80,
  /** Ids of files are mapped as a user namespace does (Linux 5.12). */
  IDMAP: 0x100000,
  NOSYMFOLLOW: 0x200000,
} as const

/** mount(2): propagation types, as mount_setattr(2) takes them. */
export const Propagation = { UNBINDABLE: 1 << 17, PRIVATE: 1 << 18, SLAVE: 1 << 19, SHARED: 1 << 20 } as const

export { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE } from './at-flags.ts'
export const OPEN_TREE_CLONE = 1
export const OPEN_TREE_CLOEXEC = 0o2000000
export const FSOPEN_CLOEXEC = 1
export const FSMOUNT_CLOEXEC = 1
export const FSCONFIG_SET_FLAG = 0
export const FSCONFIG_SET_STRING = 1
export const FSCONFIG_SET_FD = 5
export const FSCONFIG_CMD_CREATE = 6
export const MOVE_MOUNT_F_EMPTY_PATH = 0x4
export const MOVE_MOUNT_T_EMPTY_PATH = 0x40

/** struct mount_attr, 32 bytes: attributes to set, to clear, propagation (0: as it is), descriptor of a user namespace (for IDMAP). */
export function mountAttr(set: number, clear: number, propagation: number, userNamespace = 0): Buffer {
  const attr = Buffer.alloc(32)
  attr.writeBigUInt64LE(BigInt(set), 0)
  attr.writeBigUInt64LE(BigInt(clear), 8)
  attr.writeBigUInt64LE(BigInt(propagation), 16)
  attr.writeBigUInt64LE(BigInt(userNamespace), 24)
  return attr
}

/** open_tree(2). @returns a close-on-exec descriptor @throws SyscallError */
export function openTree(directory: number, path: string, flags: number): number {
  const name = cString(path)
  return door('open_tree', () => ({ path, flags }), () =>
    syscall(syscallNumber('open_tree'), directory, addressOf(name), flags | OPEN_TREE_CLOEXEC, 0, 0, 0))
}

/** mount_setattr(2) on the mount of a descriptor (AT_EMPTY_PATH), with AT_RECURSIVE when asked. @throws SyscallError */
export function mountSetattr(mount: number, options: { readonly set?: number; readonly clear?: number; readonly propagation?: number; readonly recursive?: boolean }): void {
  const attr = mountAttr(options.set ?? 0, options.clear ?? 0, options.propagation ?? 0)
  const name = cString('')
  door('mount_setattr', () => ({ set: options.set ?? 0, clear: options.clear ?? 0, propagation: options.propagation ?? 0, recursive: options.recursive === true }), () =>
    syscall(syscallNumber('mount_setattr'), mount, addressOf(name), AT_EMPTY_PATH | (options.recursive === true ? AT_RECURSIVE : 0), addressOf(attr), attr.length, 0))
}

/**
 * mount_setattr(2) with MOUNT_ATTR_IDMAP on a detached mount: who uses it sees files of id N as those of the host's id that the user
 * namespace has for N, and what is written goes the other way. Only the file systems that have been taught so: ext4 and xfs since
 * Linux 5.12, btrfs 5.15, as layers of an overlay 5.19, tmpfs 6.3; never an overlay itself.
 * @throws SyscallError EINVAL where the file system cannot
 */
export function mapMountIds(mount: number, userNamespace: number): void {
  const attr = mountAttr(MountAttribute.IDMAP, 0, 0, userNamespace)
  const name = cString('')
  door('mount_setattr', () => ({ set: 'MOUNT_ATTR_IDMAP' }), () => syscall(syscallNumber('mount_setattr'), mount, addressOf(name), AT_EMPTY_PATH, addressOf(attr), attr.length, 0))
}

/** fsopen(2): begins a new file system instance. @returns a close-on-exec descriptor @throws SyscallError */
export function fsopen(type: string): number {
  const name = cString(type)
  return door('fsopen', () => ({ type }), () => syscall(syscallNumber('fsopen'), addressOf(name), FSOPEN_CLOEXEC, 0, 0, 0, 0))
}

/** fsconfig(2) FSCONFIG_SET_STRING, or FSCONFIG_SET_FLAG without a value. @throws SyscallError */
export function fsconfig(fs: number, key: string, value?: string): void {
  const name = cString(key)
  const content = value === undefined ? undefined : cString(value)
  door('fsconfig', () => (value === undefined ? { key } : { key, value }), () =>
    syscall(syscallNumber('fsconfig'), fs, content === undefined ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, addressOf(name), content === undefined ? 0 : addressOf(content), 0, 0))
}

/** fsconfig(2) FSCONFIG_CMD_CREATE, then fsmount(2). @returns a detached mount's close-on-exec descriptor @throws SyscallError */
export function fsmount(fs: number, attributes: number): number {
  door('fsconfig', () => ({ command: 'create' }), () => syscall(syscallNumber('fsconfig'), fs, FSCONFIG_CMD_CREATE, 0, 0, 0, 0))
  return door('fsmount', () => ({ attributes }), () => syscall(syscallNumber('fsmount'), fs, FSMOUNT_CLOEXEC, attributes, 0, 0, 0))
}

/** move_mount(2) of a detached mount onto what a descriptor is open on. @throws SyscallError */
export function moveMount(mount: number, target: number): void {
  const name = cString('')
  door('move_mount', () => ({ mount, target }), () =>
    syscall(syscallNumber('move_mount'), mount, addressOf(name), target, addressOf(name), MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH, 0))
}
