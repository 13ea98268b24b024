import { basename } from 'node:path'
import { Errno } from '@engine/linux'
import { AT_EMPTY_PATH, MountAttribute, mountAttr } from '@engine/linux/mount-api'
import type { Program } from '@engine/linux/program'
import { cgroupLayout } from '../cgroup/hierarchy.ts'
import type { OciMount } from '../spec.ts'
import { attach, newFilesystem } from './filesystem.ts'
import type { MountOptions } from './mount-options.ts'
import { openTarget } from './path-in-root.ts'
import { slots } from './descriptors.ts'

/**
 * Appends the container's view of its cgroup at /sys/fs/cgroup: a cgroup2 mount, or on a v1 host a tmpfs with one mount for
 * each hierarchy. Mounted in the child's own cgroup namespace, its root is the container's cgroup. With the host's cgroup
 * namespace the whole tree is shown, read-only as well. release_agent is out of reach: read-only, and not the root cgroup's
 * owner (CVE-2022-0492).
 */
export function mountCgroups(program: Program, mount: OciMount, options: MountOptions): void {
  const layout = cgroupLayout()
  const plain: MountOptions = { ...options, data: options.data.filter(([key]) => key !== 'nsdelegate' && key !== 'memory_recursiveprot') }
  const failure = `error mounting "${mount.source}" to rootfs at "${mount.destination}"`
  openTarget(program, mount.destination, 'directory', failure)
  if (layout.version === 2) {
    newFilesystem(program, { ...mount, type: 'cgroup2', source: 'cgroup' }, plain)
    attach(program, slots().mount, mount)
    return
  }
  const readonly = (options.set & MountAttribute.RDONLY) !== 0
  const writable = { ...plain, set: options.set & ~MountAttribute.RDONLY, data: [] }
  newFilesystem(program, { ...mount, type: 'tmpfs', source: 'tmpfs' }, { ...writable, data: [['mode', '755']] })
  attach(program, slots().mount, { source: 'tmpfs', destination: mount.destination })
  for (const { version, mountpoint, controllers } of layout.hierarchies) {
    if (version !== 1) continue
    const name = basename(mountpoint)
    const destination = `${mount.destination}/${name}`
    openTarget(program, destination, 'directory', failure)
    newFilesystem(program, { ...mount, destination, type: 'cgroup', source: 'cgroup' }, { ...options, data: controllers.map(keyValue) })
    attach(program, slots().mount, { source: `cgroup ${controllers.join(',')}`, destination })
    const aliases = name.split(',')
    // cpu,cpuacct are one hierarchy: programs look for it under either name.
    if (aliases.length > 1) for (const alias of aliases) symlink(program, mount.destination, name, alias)
  }
  if (readonly) makeReadonly(program, mount.destination)
}

/** `name=systemd` is one option with a value; `cpu` is a flag. */
function keyValue(option: string): readonly [string, string | undefined] {
  const equals = option.indexOf('=')
  return equals < 0 ? [option, undefined] : [option.slice(0, equals), option.slice(equals + 1)]
}

function symlink(program: Program, directory: string, target: string, name: string): void {
  openTarget(program, directory, 'directory', `error linking ${name} in ${directory}`)
  program.call('symlinkat', [program.string(target), slots().target, program.string(name)], {
    args: { path: `${directory}/${name}`, target },
    allow: [Errno.EEXIST],
  })
}

function makeReadonly(program: Program, path: string): void {
  const failure = `error remounting "${path}" read-only`
  openTarget(program, path, 'directory', failure)
  const attr = program.bytes(mountAttr(MountAttribute.RDONLY, 0, 0))
  program.call('mount_setattr', [slots().target, program.string(''), AT_EMPTY_PATH, attr, 32], {
    args: { path, set: 'MOUNT_ATTR_RDONLY' },
    failure,
  })
}
