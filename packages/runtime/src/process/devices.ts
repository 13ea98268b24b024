import { posix } from 'node:path'
import { Errno } from '@engine/linux'
import { AT_EMPTY_PATH, OPEN_TREE_CLONE } from '@engine/linux/mount-api'
import { O_CLOEXEC } from '@engine/linux/openat2'
import type { Program } from '@engine/linux/program'
import { defaultDeviceLinks, defaultDevices } from '../default-devices.ts'
import type { OciDevice, OciSpec } from '../spec.ts'
import { slots } from './descriptors.ts'
import { attach } from './filesystem.ts'
import { openTarget } from './path-in-root.ts'

const S_IFCHR = 0o020000
const S_IFBLK = 0o060000
const S_IFIFO = 0o010000
const O_CREAT = 0o100
const O_EXCL = 0o200
const O_NOFOLLOW = 0o400000

/** makedev(3) for the numbers that mknod(2) takes. */
function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0
}

/**
 * Appends the device nodes of the spec and the customary links. Runs in the child before pivot_root, with umask 0.
 * Every node is made relative to a descriptor of its directory, and none is followed (CVE-2026-41579).
 */
export function makeDevices(program: Program, spec: OciSpec): void {
  const named = new Set(spec.linux.devices.map(({ path }) => path))
  // Runtime-spec, "Default Devices": these are the runtime's to supply; an entry of the spec for the same path wins.
  const defaults = spec.mounts.some((mount) => mount.destination === '/dev' && mount.type !== 'bind') ? defaultDevices.filter(({ path }) => !named.has(path)) : []
  for (const device of [...defaults, ...spec.linux.devices]) makeDevice(program, device)
  if (!spec.mounts.some((mount) => mount.destination === '/dev')) return
  for (const [path, target] of defaultDeviceLinks()) {
    program.call('symlinkat', [program.string(target), slots().dev, program.string(posix.basename(path))], { args: { path, target }, allow: [Errno.EEXIST] })
  }
}

function makeDevice(program: Program, device: OciDevice): void {
  const directory = posix.dirname(device.path)
  const name = posix.basename(device.path)
  const type = device.type === 'b' ? S_IFBLK : device.type === 'p' ? S_IFIFO : S_IFCHR
  const failure = `error creating device ${device.path}`
  openTarget(program, directory, 'directory')
  const { target } = slots()
  program.call('mknodat', [target, program.string(name), type | (device.fileMode ?? 0o666), deviceNumber(device.major, device.minor)], {
    args: { path: device.path, type: device.type, major: device.major, minor: device.minor, mode: device.fileMode ?? 0o666 },
    allow: [Errno.EEXIST],
    failure,
  })
  if ((device.uid ?? 0) !== 0 || (device.gid ?? 0) !== 0) {
    const AT_SYMLINK_NOFOLLOW = 0x100
    program.call('fchownat', [target, program.string(name), device.uid ?? 0, device.gid ?? 0, AT_SYMLINK_NOFOLLOW], {
      args: { path: device.path, uid: device.uid ?? 0, gid: device.gid ?? 0 },
      failure,
    })
  }
}

/**
 * Appends: bind the terminal's slave over /dev/console. The slave was opened through its devpts itself, so no name inside the
 * container had a say in which file this is (CVE-2025-52565).
 */
export function bindConsole(program: Program, slave: number): void {
  const { dev, target, mount } = slots()
  const failure = 'error mounting "console"'
  const file = program.call('openat', [dev, program.string('console'), O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600], {
    args: { path: '/dev/console', flags: 'O_CREAT|O_EXCL' },
    failure,
  })
  program.call('dup3', [file, target, O_CLOEXEC], { args: {}, quiet: true })
  const tree = program.call('open_tree', [slave, program.string(''), OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH], { args: { path: 'the terminal', flags: 'OPEN_TREE_CLONE' }, failure })
  program.call('dup3', [tree, mount, O_CLOEXEC], { args: {}, quiet: true })
  attach(program, mount, { source: 'the terminal', destination: '/dev/console' })
}
