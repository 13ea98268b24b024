import { fstatSync, statfsSync } from 'node:fs'
import { EngineError, SyscallError, errnoText } from '@engine/linux'
import { AT_FDCWD, AT_RECURSIVE, OPEN_TREE_CLONE, Propagation, mountSetattr, openTree } from '@engine/linux/mount-api'
import { O_CLOEXEC } from '@engine/linux/openat2'
import type { Program } from '@engine/linux/program'
import type { OciMount, OciSpec } from '../spec.ts'
import { mountCgroups } from './cgroup-mount.ts'
import { slots } from './descriptors.ts'
import { attach, newFilesystem } from './filesystem.ts'
import { hasOwn } from './namespaces.ts'
import { parseMountOptions, type MountOptions } from './mount-options.ts'
import { openTarget, refuseWhenEqual } from './path-in-root.ts'

const PROC_SUPER_MAGIC = 0x9fa0

/** Files of procfs that a mount may cover, as runc allows it (lxcfs covers them). */
const coverable = new Set(['cpuinfo', 'diskstats', 'meminfo', 'stat', 'swaps', 'uptime', 'loadavg', 'slabinfo', 'net/dev', 'sys/kernel/ns_last_pid', 'sys/crypto/fips_enabled'].map((name) => `/proc/${name}`))

/** A mount with what this process has opened for it. */
interface PreparedMount {
  readonly mount: OciMount
  readonly options: MountOptions
  /** A detached copy of a bind's source. */
  readonly source?: { readonly fd: number; readonly kind: 'directory' | 'file' }
}

/**
 * Opens the sources of bind mounts, in the shim's (the host's) mount namespace: the child's is private, and a shared bind must
 * stay in its peer group.
 * @param held takes every descriptor, for closing after the fork
 * @param user whether the container has a user namespace other than this process's
 * @throws EngineError with Docker's words when a source is missing
 */
export function prepareMounts(spec: OciSpec, held: (fd: number) => void, user = false): PreparedMount[] {
  return spec.mounts.map((mount) => {
    const options = parseMountOptions(mount.options)
    if (mount.type === 'cgroup' && user && !hasOwn(spec, 'cgroup')) return prepareHostCgroups(mount, options, held)
    if (mount.type !== 'bind' && !options.bind) {
      if (mount.destination === '/proc' && mount.type !== 'proc') throw notProc(mount)
      return { mount, options }
    }
    const fd = openBindSource(mount, options)
    held(fd)
    if (mount.destination === '/proc' && statfsSync(`/proc/self/fd/${fd}`).type !== PROC_SUPER_MAGIC) throw notProc(mount)
    if (options.set !== 0 || options.clear !== 0) mountSetattr(fd, { set: options.set, clear: options.clear })
    if (options.recursiveSet !== 0 || options.recursiveClear !== 0) mountSetattr(fd, { set: options.recursiveSet, clear: options.recursiveClear, recursive: true })
    mountSetattr(fd, { propagation: options.propagation === 0 ? Propagation.PRIVATE : options.propagation, recursive: options.propagation === 0 || options.propagationRecursive })
    return { mount, options, source: { fd, kind: fstatSync(fd).isDirectory() ? 'directory' : 'file' } }
  })
}

/**
 * The host's cgroups as they are mounted: with the host's cgroup namespace they belong to the host's root, and a user namespace has
 * no right to mount them.
 */
function prepareHostCgroups(mount: OciMount, options: MountOptions, held: (fd: number) => void): PreparedMount {
  const fd = openBindSource({ ...mount, source: '/sys/fs/cgroup' }, { ...options, recursiveBind: true })
  held(fd)
  mountSetattr(fd, { set: options.set, propagation: Propagation.PRIVATE, recursive: true })
  return { mount, options, source: { fd, kind: 'directory' } }
}

/** Only procfs goes to /proc: with another file system there, writes that are meant for the kernel could be led elsewhere. */
function notProc({ source, destination }: OciMount): EngineError {
  return new EngineError('invalid-argument', `error mounting "${source}" to rootfs at "${destination}": check failed: "${destination}" cannot be mounted because it is not of type proc`)
}

function openBindSource(mount: OciMount, options: MountOptions): number {
  try {
    return openTree(AT_FDCWD, mount.source, OPEN_TREE_CLONE | (options.recursiveBind ? AT_RECURSIVE : 0))
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    throw new EngineError('invalid-argument', `error mounting "${mount.source}" to rootfs at "${mount.destination}": open source: ${errnoText(error.errno)}`, { cause: error })
  }
}

/** Appends every mount of the spec, in its order. Runs in the child, in its own namespaces, before pivot_root. */
export function mountAll(program: Program, prepared: readonly PreparedMount[], devpts: number | undefined): void {
  for (const { mount, options, source } of prepared) {
    if (mount.type === 'cgroup' && source === undefined) {
      mountCgroups(program, mount, options)
      continue
    }
    openTarget(program, mount.destination, source?.kind ?? 'directory', `error mounting "${mount.source}" to rootfs at "${mount.destination}"`, mount.type === 'proc' || mount.type === 'sysfs')
    const isProc = mount.type === 'proc'
    if (!isProc && !coverable.has(mount.destination)) refuseProc(program, mount)
    if (source !== undefined) attach(program, source.fd, mount)
    else if (mount.type === 'devpts' && devpts !== undefined) attach(program, devpts, mount)
    else {
      newFilesystem(program, mount, options)
      attach(program, slots().mount, mount)
      if (isProc && mount.destination === '/proc') program.call('dup3', [slots().mount, slots().proc, O_CLOEXEC], { args: {}, quiet: true })
    }
  }
}

/** Appends: fail when the target lies in procfs, however the image's links lead there (CVE-2019-16884, CVE-2023-27561). */
function refuseProc(program: Program, mount: OciMount): void {
  const statfs = program.bytes(Buffer.alloc(120))
  const failure = `error mounting "${mount.source}" to rootfs at "${mount.destination}": check failed: "${mount.destination}" cannot be mounted because it is inside /proc`
  program.call('fstatfs', [slots().target, statfs], { args: {}, quiet: true, failure })
  refuseWhenEqual(program, statfs, PROC_SUPER_MAGIC, failure)
}
