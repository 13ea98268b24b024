import { dirname } from 'node:path'
import { Errno, SyscallError, failedWith } from '@engine/linux'
import type { OciResources } from '../spec.ts'
import { makeGroup, readControl, writeControl } from './control-file.ts'
import { applyCpu, applyCpuset, inheritCpuset } from './cpu.ts'
import { applyDevices } from './devices.ts'
import { cgroupLayout, refuseUnlessGroupPath, type Hierarchy } from './hierarchy.ts'
import { applyIo } from './io.ts'
import { applyMemory } from './memory.ts'
import { applyPids } from './pids.ts'
import { applyUnified } from './unified.ts'

/**
 * Makes a container's cgroup in every hierarchy, with all that is missing above it, and sets its limits. It may be there already.
 * Runs in engined, in the host's cgroup namespace.
 * @param path      below each hierarchy's root: `/engine/<id>`, `/engine.slice/<id>`
 * @param resources limits as the OCI runtime spec has them
 * @returns warnings in Docker's words: limits that this kernel has not
 * @throws SyscallError when the kernel has a limit but refuses the value (`write` with {path, value}); the cgroup is then there, for {@link removeCgroup}
 * @throws EngineError invalid-argument for a path that is none
 */
export function createCgroup(path: string, resources: OciResources): string[] {
  refuseUnlessGroupPath(path)
  const warnings: string[] = []
  for (const hierarchy of cgroupLayout().hierarchies) {
    makeGroups(hierarchy, path)
  }
  applyResources(path, resources, warnings)
  return warnings
}

/**
 * Changes a cgroup's limits; what `resources` does not name stays as it is.
 * @returns warnings as {@link createCgroup}'s
 * @throws SyscallError EBUSY when a memory limit below what is used cannot be reached (v1)
 */
export function updateCgroup(path: string, resources: OciResources): string[] {
  refuseUnlessGroupPath(path)
  const warnings: string[] = []
  applyResources(path, resources, warnings)
  return warnings
}

function applyResources(path: string, resources: OciResources, warnings: string[]): void {
  const layout = cgroupLayout()
  applyCpuset(layout.place('cpuset', path), resources.cpu, warnings)
  applyCpu(layout.place('cpu', path), resources.cpu, warnings)
  applyMemory(layout.place('memory', path), resources.memory, warnings)
  applyPids(layout.place('pids', path), resources.pids, warnings)
  applyIo(layout.place('io', path), resources.blockIO, warnings)
  applyDevices(layout.place('devices', path), resources.devices, warnings)
  applyUnified(path, resources.unified)
}

/** Each level of a cgroup's path, from the top: `/a`, `/a/b`. */
function levels(path: string): string[] {
  const above = dirname(path)
  return above === '/' ? [path] : [...levels(above), path]
}

function makeGroups(hierarchy: Hierarchy, path: string): void {
  if (!tryMake(hierarchy.mountpoint + path)) {
    for (const level of levels(path)) makeGroup(hierarchy.mountpoint + level)
  }
  if (hierarchy.version === 2) enableControllers(hierarchy, path)
  else if (hierarchy.controllers.includes('cpuset')) {
    for (const level of levels(path)) inheritCpuset(hierarchy.mountpoint + level)
  }
}

/** The parent is nearly always there: one mkdir then does it. */
function tryMake(directory: string): boolean {
  try {
    makeGroup(directory)
    return true
  } catch (error) {
    if (failedWith(error, Errno.ENOENT)) return false
    throw error
  }
}

/**
 * v2: a cgroup has the files of the controllers that its parent hands down (cgroup.subtree_control), and the parent of those handed to it.
 * Missing ones are enabled from the root to the parent, one by one when the kernel does not take all: a parent that holds processes
 * itself refuses (EBUSY), `cpu` refuses while real-time processes are in the way (EINVAL). A limit without its controller is a warning later.
 */
function enableControllers(hierarchy: Hierarchy, path: string): void {
  for (const level of ['', ...levels(path).slice(0, -1)]) {
    const directory = hierarchy.mountpoint + level
    const enabled = new Set(readControl(`${directory}/cgroup.subtree_control`)?.split(' '))
    const offered = (readControl(`${directory}/cgroup.controllers`) ?? '').split(' ').filter((name) => name !== '')
    const missing = offered.filter((name) => !enabled.has(name)).map((name) => `+${name}`)
    if (missing.length === 0 || enable(directory, missing.join(' '))) continue
    for (const one of missing) enable(directory, one)
  }
}

function enable(directory: string, controllers: string): boolean {
  try {
    writeControl(`${directory}/cgroup.subtree_control`, controllers)
    return true
  } catch (error) {
    if (error instanceof SyscallError) return false
    throw error
  }
}
