import { posix } from 'node:path'
import { EngineError, Errno } from '@engine/linux'
import { AT_SYMLINK_NOFOLLOW } from '@engine/linux/at-flags'
import { makeDevice } from '@engine/linux/file-at'
import { Label, type Program } from '@engine/linux/program'
import { defaultDeviceLinks, defaultDevices } from '../default-devices.ts'
import type { OciDevice, OciSpec } from '../spec.ts'
import { slots } from './descriptors.ts'
import { attach, cloneDescriptor } from './filesystem.ts'
import { openTarget } from './path-in-root.ts'
import type { DetachedDevice } from './prepared-devices.ts'

const S_IFCHR = 0o020000
const S_IFBLK = 0o060000
const S_IFIFO = 0o010000

/**
 * Appends the device nodes of the spec and the customary links. Runs in the child before pivot_root, with umask 0.
 * Every node is made relative to a descriptor of its directory, and none is followed (CVE-2026-41579).
 * A /dev that is bound from elsewhere is left as it is: nodes made there would be that directory's, on the host.
 * @param prepared nodes to bind where none can be made, see prepared-devices.ts
 */
export function makeDevices(program: Program, spec: OciSpec, prepared: readonly DetachedDevice[] | undefined): void {
  if (hasBoundDev(spec)) return
  if (prepared === undefined) for (const device of devicesOf(spec)) addDevice(program, device)
  else for (const device of prepared) bindDevice(program, device)
  openTarget(program, '/dev', 'directory', 'error creating /dev')
  for (const [path, target] of defaultDeviceLinks()) {
    program.call('symlinkat', [program.string(target), slots().target, program.string(posix.basename(path))], { args: { path, target }, allow: [Errno.EEXIST] })
  }
}

export function hasBoundDev(spec: OciSpec): boolean {
  const dev = spec.mounts.findLast((mount) => mount.destination === '/dev')
  return dev !== undefined && (dev.type === 'bind' || dev.options.includes('bind') || dev.options.includes('rbind'))
}

/** Runtime-spec, "Default Devices": these are the runtime's to supply; an entry of the spec for the same path wins. */
export function devicesOf(spec: OciSpec): readonly OciDevice[] {
  const named = new Set(spec.linux.devices.map(({ path }) => path))
  return [...defaultDevices.filter(({ path }) => !named.has(path)), ...spec.linux.devices]
}

/** A device as mknod(2) takes it. @throws EngineError invalid-argument for a number that it has no room for: 12 and 20 bits */
export function nodeOf(device: OciDevice): { readonly type: number; readonly mode: number; readonly uid: number; readonly gid: number; readonly number: bigint; readonly failure: string } {
  const { path, major, minor } = device
  const failure = `error creating device ${path}`
  if (![major, minor].every(Number.isInteger) || major < 0 || major > 0xfff || minor < 0 || minor > 0xf_ffff) {
    throw new EngineError('invalid-argument', `${failure}: invalid device number ${major}:${minor}`)
  }
  const type = device.type === 'b' ? S_IFBLK : device.type === 'p' ? S_IFIFO : S_IFCHR
  return { type, mode: (device.fileMode ?? 0o666) & 0o7777, uid: device.uid ?? 0, gid: device.gid ?? 0, number: makeDevice(major, minor), failure }
}

/** Appends: bind a node over an empty file. What has the name already is covered, unless it is a link, which could lead anywhere. */
function bindDevice(program: Program, { device, mount }: DetachedDevice): void {
  openTarget(program, device.path, 'file', `error creating device ${device.path}`, true)
  attach(program, mount, { source: `device ${device.type} ${device.major}:${device.minor}`, destination: device.path })
  program.call('close', [mount], { args: {}, quiet: true })
}

function addDevice(program: Program, device: OciDevice): void {
  const { path, major, minor } = device
  const { type, mode, uid, gid, number, failure } = nodeOf(device)
  openTarget(program, posix.dirname(path), 'directory', failure)
  const { target } = slots()
  const name = program.string(posix.basename(path))
  // What has the name already keeps it, and its owner.
  const made = new Label()
  program.call('mknodat', [target, name, type | mode, number], { args: { path, type: device.type, major, minor, mode }, allow: [Errno.EEXIST], onAllowed: made, failure })
  if (uid !== 0 || gid !== 0) program.call('fchownat', [target, name, uid, gid, AT_SYMLINK_NOFOLLOW], { args: { path, uid, gid }, failure })
  program.place(made)
}

/**
 * Appends: bind the terminal, which is descriptor 0 by now, over /dev/console. It was opened through its devpts itself, so no
 * name inside the container had a say in which file this is; and no link leads the bind elsewhere (CVE-2025-52565).
 */
export function bindConsole(program: Program): void {
  const failure = 'error mounting "console"'
  openTarget(program, '/dev/console', 'file', failure, true)
  cloneDescriptor(program, 0, 'the terminal', false, failure)
  attach(program, slots().mount, { source: 'the terminal', destination: '/dev/console' })
}
