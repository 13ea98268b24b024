import { Errno } from '@engine/linux'
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, MountAttribute, mountAttr } from '@engine/linux/mount-api'
import { O_CLOEXEC, O_PATH } from '@engine/linux/openat2'
import { Label, type Program } from '@engine/linux/program'
import type { OciSpec } from '../spec.ts'
import { moveTo, slots } from './descriptors.ts'
import type { MountOptions } from './mount-options.ts'
import { attach, cloneDescriptor, cloneTarget, newFilesystem } from './filesystem.ts'
import { jump, openPath } from './path-in-root.ts'

const O_DIRECTORY = 0o200000


/** Appends: make paths read-only by a mount of themselves upon themselves. Paths that are not there are passed over. */
export function makePathsReadonly(program: Program, spec: OciSpec): void {
  const attr = program.bytes(mountAttr(MountAttribute.RDONLY, 0, 0))
  for (const path of spec.linux.readonlyPaths) {
    const missing = new Label()
    openPath(program, path, slots().target, { missing, failure: `error making "${path}" read-only`, quiet: true })
    cloneTarget(program, path, true)
    program.call('mount_setattr', [slots().mount, program.string(''), AT_EMPTY_PATH | AT_RECURSIVE, attr, 32], {
      args: { path, set: 'MOUNT_ATTR_RDONLY' },
      failure: `error making "${path}" read-only`,
    })
    attach(program, slots().mount, { source: path, destination: path })
    program.place(missing)
  }
}

/**
 * Appends: hide paths. A file is covered by the host's /dev/null, opened before the container's root is entered
 * (CVE-2025-31133) and read-only, since its mode is the host's too; a directory by an empty, read-only tmpfs. What is not there is passed over.
 */
export function maskPaths(program: Program, spec: OciSpec): void {
  if (spec.linux.maskedPaths.length === 0) return
  const { nothing, target, mount } = slots()
  const failure = 'error masking paths'
  const devNull = program.call('openat', [AT_FDCWD, program.string('/dev/null'), O_PATH | O_CLOEXEC, 0], { args: { path: '/dev/null', flags: 'O_PATH' }, failure })
  moveTo(program, nothing, devNull)
  const unchangeable = program.bytes(mountAttr(MountAttribute.RDONLY | MountAttribute.NOSUID | MountAttribute.NOEXEC, 0, 0))
  for (const path of spec.linux.maskedPaths) {
    const missing = new Label()
    const file = new Label()
    openPath(program, path, target, { missing, failure: `error masking "${path}"`, quiet: true })
    // What the path is, the child finds out: by ENOTDIR.
    const directory = program.call('openat', [target, program.string('.'), O_PATH | O_DIRECTORY | O_CLOEXEC, 0], { args: {}, quiet: true, allow: [Errno.ENOTDIR], onAllowed: file, failure: `error masking "${path}"` })
    program.call('close', [directory], { args: {}, quiet: true })
    newFilesystem(program, { type: 'tmpfs', source: 'tmpfs', destination: path, options: ['ro'] }, emptyDirectory)
    attach(program, mount, { source: 'empty tmpfs', destination: path })
    jump(program, missing)
    program.place(file)
    cloneDescriptor(program, nothing, '/dev/null', false, failure)
    program.call('mount_setattr', [mount, program.string(''), AT_EMPTY_PATH, unchangeable, 32], { args: { path: '/dev/null', set: 'MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID|MOUNT_ATTR_NOEXEC' }, failure })
    attach(program, mount, { source: '/dev/null', destination: path })
    program.place(missing)
  }
}

const emptyDirectory: MountOptions = {
  set: MountAttribute.RDONLY | MountAttribute.NOSUID | MountAttribute.NODEV | MountAttribute.NOEXEC,
  clear: 0,
  recursiveSet: 0,
  recursiveClear: 0,
  propagation: 0,
  propagationRecursive: false,
  bind: false,
  recursiveBind: false,
  data: [['nr_blocks', '1'], ['nr_inodes', '2']],
}
