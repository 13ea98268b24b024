import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, MOVE_MOUNT_F_EMPTY_PATH, MountAttribute, OPEN_TREE_CLONE, Propagation, mountAttr, mountSetattr, openTree } from '@engine/linux/mount-api'
import { MS_REC } from '@engine/linux/mount'
import { O_CLOEXEC } from '@engine/linux/openat2'
import type { Program } from '@engine/linux/program'
import { MNT_DETACH } from '@engine/linux/unmount'
import type { OciSpec } from '../spec.ts'
import { moveTo, slots } from './descriptors.ts'


/**
 * A detached copy of the container's root, made in the shim: who has entered a user namespace has no right to come by the
 * directories above it.
 * @param held takes its descriptor
 */
export function prepareRoot({ root }: OciSpec, held: (fd: number) => void): number {
  const tree = openTree(AT_FDCWD, root.path, OPEN_TREE_CLONE | AT_RECURSIVE)
  held(tree)
  mountSetattr(tree, { propagation: Propagation.PRIVATE, recursive: true })
  return tree
}

/**
 * Appends: a private copy of the host's mounts, and the container's root as a mount of its own, on slot `root`.
 * @param prepared what `prepareRoot` has made: it is laid over `/`, of which nothing stays either way
 */
export function bindRoot(program: Program, spec: OciSpec, prepared: number | undefined): void {
  const { path } = spec.root
  const failure = `error preparing rootfs "${path}"`
  program.call('mount', [0, program.string('/'), 0, MS_REC | Propagation.PRIVATE, 0], { args: { target: '/', flags: 'MS_REC|MS_PRIVATE' }, failure })
  if (prepared !== undefined) {
    program.call('dup3', [prepared, slots().root, O_CLOEXEC], { args: {}, quiet: true })
    program.call('move_mount', [slots().root, program.string(''), AT_FDCWD, program.string('/'), MOVE_MOUNT_F_EMPTY_PATH], { args: { source: path, target: '/' }, failure })
    return
  }
  const tree = program.call('open_tree', [AT_FDCWD, program.string(path), OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE], { args: { path, flags: 'OPEN_TREE_CLONE|AT_RECURSIVE' }, failure })
  moveTo(program, slots().root, tree)
  program.call('move_mount', [slots().root, program.string(''), AT_FDCWD, program.string(path), MOVE_MOUNT_F_EMPTY_PATH], { args: { source: path, target: path }, failure })
}

/**
 * Appends: the container's root becomes `/`, and nothing of the host's mounts stays (pivot_root(2), "pivot_root(".", ".")").
 * The old root lies on top of the new one after the call, and is what `umount2(".")` takes away.
 */
export function pivot(program: Program, spec: OciSpec): void {
  const { root } = slots()
  const failure = 'error jailing process inside rootfs: pivot_root'
  const here = program.string('.')
  if (spec.root.readonly === true) {
    const attr = program.bytes(mountAttr(MountAttribute.RDONLY, 0, 0))
    program.call('mount_setattr', [root, program.string(''), AT_EMPTY_PATH, attr, 32], { args: { path: '/', set: 'MOUNT_ATTR_RDONLY' }, failure: 'error making rootfs read-only' })
  }
  program.call('fchdir', [root], { args: { path: spec.root.path }, failure })
  program.call('pivot_root', [here, here], { args: { new_root: '.', put_old: '.' }, failure })
  program.call('umount2', [here, MNT_DETACH], { args: { target: '.', flags: 'MNT_DETACH' }, failure })
  program.call('chdir', [program.string('/')], { args: { path: '/' }, failure })
  const propagation = spec.linux.rootfsPropagation
  if (propagation !== undefined && !propagation.endsWith('private')) {
    const flags = (propagation.endsWith('shared') ? Propagation.SHARED : Propagation.SLAVE) | (propagation.startsWith('r') ? MS_REC : 0)
    program.call('mount', [0, program.string('/'), 0, flags, 0], { args: { target: '/', flags: propagation }, failure: 'error setting rootfs propagation' })
  }
}
