import {
  AT_EMPTY_PATH, AT_RECURSIVE, FSCONFIG_CMD_CREATE, FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC,
  MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH, OPEN_TREE_CLONE,
} from '@engine/linux/mount-api'
import { O_CLOEXEC } from '@engine/linux/openat2'
import type { Program, Result } from '@engine/linux/program'
import type { OciMount } from '../spec.ts'
import { moveTo, slots } from './descriptors.ts'
import type { MountOptions } from './mount-options.ts'


/** Appends: move the mount of a descriptor onto the open target. */
export function attach(program: Program, fd: number | Result, mount: { readonly source: string; readonly destination: string }): void {
  program.call('move_mount', [fd, program.string(''), slots().target, program.string(''), MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH], {
    args: { source: mount.source, target: mount.destination },
    failure: `error mounting "${mount.source}" to rootfs at "${mount.destination}"`,
  })
}

/** Appends: a new file system, as a mount that is not attached yet, onto slot `mount`. */
export function newFilesystem(program: Program, mount: OciMount, options: MountOptions): void {
  const failure = `error mounting "${mount.source}" to rootfs at "${mount.destination}"`
  const { mount: slot } = slots()
  const context = program.call('fsopen', [program.string(mount.type), FSOPEN_CLOEXEC], { args: { type: mount.type }, failure })
  moveTo(program, slot, context)
  const data: readonly (readonly [string, string | undefined])[] = [['source', mount.source], ...options.data]
  for (const [key, value] of data) {
    program.call('fsconfig', [slot, value === undefined ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, program.string(key), value === undefined ? 0 : program.string(value), 0], {
      args: value === undefined ? { key } : { key, value },
      failure: `${failure}: option ${value === undefined ? key : `${key}=${value}`}`,
    })
  }
  program.call('fsconfig', [slot, FSCONFIG_CMD_CREATE, 0, 0, 0], { args: { command: 'create', type: mount.type }, failure })
  const mounted = program.call('fsmount', [slot, FSMOUNT_CLOEXEC, options.set], { args: { type: mount.type, attributes: mount.options.join(',') }, failure })
  moveTo(program, slot, mounted)
}

/** Appends: a copy of what slot `target` is open on, detached, onto slot `mount`. */
export function cloneTarget(program: Program, path: string, recursive: boolean): void {
  cloneDescriptor(program, slots().target, path, recursive, `error mounting "${path}"`)
}

/** Appends: a copy of what a descriptor is open on, detached, onto slot `mount`. @param path as the ledger shows it */
export function cloneDescriptor(program: Program, fd: number, path: string, recursive: boolean, failure: string): void {
  const flags = recursive ? 'OPEN_TREE_CLONE|AT_RECURSIVE' : 'OPEN_TREE_CLONE'
  const tree = program.call('open_tree', [fd, program.string(''), OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0)], { args: { path, flags }, failure })
  moveTo(program, slots().mount, tree)
}
