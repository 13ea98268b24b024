import { closeSync, constants, openSync } from 'node:fs'
import { attachProgram, detachProgram, programsOf, programDescriptor, BPF_CGROUP_DEVICE, BPF_PROG_TYPE_CGROUP_DEVICE, loadProgram } from './bpf.ts'
import { Errno, SyscallError, failedWith } from '@engine/linux'
import type { OciDeviceRule } from '../spec.ts'
import { readControl, writeControl } from './control-file.ts'
import { deviceList, parseDeviceList, shownException, type DeviceList } from './device-list.ts'
import { deviceProgram } from './device-program.ts'
import type { Place } from './hierarchy.ts'

const noDevices = 'Your kernel does not support device control or the cgroup is not mounted. Device rules discarded.'

/** Sets what devices may be opened and made; without rules nothing changes. */
export function applyDevices(place: Place | undefined, rules: readonly OciDeviceRule[] | undefined, warnings: string[]): void {
  if (rules === undefined || rules.length === 0) return
  if (place === undefined) {
    warnings.push(noDevices)
    return
  }
  const list = deviceList(rules)
  if (place.version === 1) applyV1(place.directory, list)
  else if (!applyV2(place.directory, list)) warnings.push(noDevices)
}

/**
 * v1: writes only what changes, so that a running container never sees its devices taken away in between.
 * @throws SyscallError EPERM when the parent allows less
 */
function applyV1(directory: string, list: DeviceList): void {
  const current = parseDeviceList(readControl(`${directory}/devices.list`) ?? '')
  const wanted = new Set(list.exceptions.map(shownException))
  if (list.allow) {
    // The kernel shows a list that allows by default as `a *:* rwm`, without its exceptions: they are all written.
    writeControl(`${directory}/devices.allow`, 'a')
    for (const exception of wanted) writeControl(`${directory}/devices.deny`, exception)
    return
  }
  if (current.allow) {
    writeControl(`${directory}/devices.deny`, 'a')
    for (const exception of wanted) writeControl(`${directory}/devices.allow`, exception)
    return
  }
  const there = new Set(current.exceptions.map(shownException))
  for (const exception of wanted) if (!there.has(exception)) writeControl(`${directory}/devices.allow`, exception)
  for (const { access, ...numbers } of current.exceptions) {
    const kept = list.exceptions.find(({ type, major, minor }) => type === numbers.type && major === numbers.major && minor === numbers.minor)?.access ?? ''
    const surplus = [...access].filter((letter) => !kept.includes(letter)).join('')
    if (surplus !== '') writeControl(`${directory}/devices.deny`, shownException({ ...numbers, access: surplus }))
  }
}

/**
 * v2: attaches a program to the cgroup and takes away those that were there. All attached programs must agree, so that in between
 * both the old and the new rules hold.
 * @returns false when the kernel has no such programs
 */
function applyV2(directory: string, list: DeviceList): boolean {
  const cgroup = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    const before = programsOf(cgroup, BPF_CGROUP_DEVICE)
    const program = loadProgram(BPF_PROG_TYPE_CGROUP_DEVICE, deviceProgram(list), 'engine_devices')
    try {
      attachProgram(cgroup, program, BPF_CGROUP_DEVICE)
    } finally {
      closeSync(program)
    }
    for (const id of before) detachById(cgroup, id)
    return true
  } catch (error) {
    // EINVAL and ENOSYS: a kernel without CONFIG_CGROUP_BPF, or without bpf(2) at all.
    if (failedWith(error, Errno.ENOSYS, Errno.EINVAL) && error instanceof SyscallError && error.syscall === 'bpf') return false
    throw error
  } finally {
    closeSync(cgroup)
  }
}

function detachById(cgroup: number, id: number): void {
  const program = programDescriptor(id)
  try {
    detachProgram(cgroup, program, BPF_CGROUP_DEVICE)
  } finally {
    closeSync(program)
  }
}
