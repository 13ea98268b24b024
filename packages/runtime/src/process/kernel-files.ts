import { openSync } from 'node:fs'
import { Errno } from '@engine/linux'
import { AT_FDCWD } from '@engine/linux/at-flags'
import { O_CLOEXEC, Resolve } from '@engine/linux/openat2'
import type { Program } from '@engine/linux/program'
import { profileFile } from '../apparmor.ts'
import { joinTargets } from '../cgroup/join.ts'
import { cgroupLayout } from '../cgroup/hierarchy.ts'
import type { OciSpec } from '../spec.ts'
import { sysctlFile } from '../sysctl.ts'
import { moveTo, slots } from './descriptors.ts'

const O_WRONLY = 1
const KEYCTL_JOIN_SESSION_KEYRING = 1

/** How a child comes into its cgroup: born in it (v2), or by writing into these files first of all (v1). */
export interface CgroupEntry {
  readonly birthplace: number | undefined
  readonly files: readonly { readonly fd: number; readonly path: string }[]
}

/** Opens what the child needs to come into its cgroup, which exists. `held` takes the descriptors. */
export function openCgroup(path: string, held: (fd: number) => void): CgroupEntry {
  const layout = cgroupLayout()
  if (layout.version === 2) {
    const directory = layout.directories(path)[0] as string
    const fd = openSync(directory, 'r')
    held(fd)
    return { birthplace: fd, files: [] }
  }
  const files = joinTargets(path).map((file) => {
    const fd = openSync(file, 'w')
    held(fd)
    return { fd, path: file }
  })
  return { birthplace: undefined, files }
}

/** Appends: move into the cgroup. Before the cgroup namespace is made, so that the cgroup is its root. */
export function joinCgroup(program: Program, entry: CgroupEntry): void {
  const zero = program.string('0')
  for (const { fd, path } of entry.files) program.call('write', [fd, zero, 1], { args: { path, value: '0' }, failure: `failed to write ${path}` })
}

/** Appends: the OOM killer's bias (proc_pid_oom_score_adj(5)); through the host's procfs. Without CAP_SYS_RESOURCE it can only go up. */
export function setOomScore(program: Program, value: number): void {
  const file = program.call('openat', [AT_FDCWD, program.string('/proc/self/oom_score_adj'), O_WRONLY | O_CLOEXEC, 0], { args: { path: '/proc/self/oom_score_adj' }, quiet: true })
  const text = `${value}`
  program.call('write', [file, program.string(text), text.length], { args: { path: '/proc/self/oom_score_adj', value }, allow: [Errno.EACCES, Errno.EPERM] })
  program.call('close', [file], { args: {}, quiet: true })
}

/**
 * Appends: from execve on the process is under an AppArmor profile (aa_change_onexec(2)), which the kernel knows already. Through the
 * host's procfs, before anything is mounted; forks take it along.
 */
export function changeProfileOnExec(program: Program, profile: string | undefined): void {
  if (profile === undefined) return
  const path = profileFile()
  const failure = `unable to apply apparmor profile: apparmor failed to apply profile: write ${path}`
  const file = program.call('openat', [AT_FDCWD, program.string(path), O_WRONLY | O_CLOEXEC, 0], { args: { path }, failure })
  const text = `exec ${profile}`
  program.call('write', [file, program.string(text), Buffer.byteLength(text)], { args: { path, value: text }, failure })
  program.call('close', [file], { args: {}, quiet: true })
}

/**
 * Appends: a session keyring of its own (keyrings(7)), so that keys of the shim's session are out of reach. Without a name:
 * keyrings are not in a namespace, and one of that name which another container lays out would be joined.
 */
export function joinKeyring(program: Program): void {
  program.call('keyctl', [KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0], { args: { operation: 'KEYCTL_JOIN_SESSION_KEYRING' }, allow: [Errno.ENOSYS, Errno.EPERM, Errno.EDQUOT, Errno.EACCES] })
}

/** Appends: host and domain name of the container's UTS namespace. */
export function setNames(program: Program, spec: OciSpec): void {
  if (spec.hostname !== undefined) program.call('sethostname', [program.string(spec.hostname), Buffer.byteLength(spec.hostname)], { args: { name: spec.hostname }, failure: 'sethostname' })
  if (spec.domainname !== undefined) program.call('setdomainname', [program.string(spec.domainname), Buffer.byteLength(spec.domainname)], { args: { name: spec.domainname }, failure: 'setdomainname' })
}

/**
 * Appends the sysctls, written relative to the procfs that this program mounted itself, never by a path that the image or
 * another container can bend (CVE-2025-52881), before /proc/sys becomes read-only.
 */
export function writeSysctls(program: Program, spec: OciSpec): void {
  const how = program.words(O_WRONLY | O_CLOEXEC, 0, Resolve.BENEATH | Resolve.NO_SYMLINKS | Resolve.NO_XDEV)
  for (const [name, value] of Object.entries(spec.linux.sysctl ?? {})) {
    const path = `sys/${sysctlFile(name)}`
    const failure = `open sysctl ${name} file`
    const file = program.call('openat2', [slots().proc, program.string(path), how, 24], { args: { root: 'procfs', path, flags: 'O_WRONLY' }, failure, again: Errno.EAGAIN })
    moveTo(program, slots().target, file)
    program.call('write', [slots().target, program.string(value), Buffer.byteLength(value)], { args: { path: `/proc/${path}`, value }, failure: `write sysctl key ${name}` })
  }
}
