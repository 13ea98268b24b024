import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { EngineError } from '@engine/linux'

/** The profile of containers that name none; Docker's name, which inspect shows, and which may be loaded by Docker already. */
export const DEFAULT_APPARMOR_PROFILE = 'docker-default'

const PROFILES = '/sys/kernel/security/apparmor/profiles'

/**
 * What a container may do, as apparmor.d(5) has it: nearly everything that its capabilities, namespaces and file modes leave open, but
 * no mounts, no signals to and no tracing of what is not of the same profile, and of the kernel's own file systems only its own
 * processes and cgroups. A second fence behind read-only and masked paths: a container that gets out of these, or has `/proc` mounted
 * anew, finds this one.
 *
 * It includes nothing, so that it means the same on every host. A deny rule goes before every other.
 */
export const defaultAppArmorProfile = `profile ${DEFAULT_APPARMOR_PROFILE} flags=(attach_disconnected, mediate_deleted) {
  file,
  network,
  unix,
  capability,
  umount,

  # Signals and traces among containers; signals from whoever manages them.
  signal (send, receive) peer=${DEFAULT_APPARMOR_PROFILE},
  signal (receive) peer=unconfined,
  signal (receive) peer={runc,crun},
  ptrace (trace, read, tracedby, readby) peer=${DEFAULT_APPARMOR_PROFILE},

  deny mount,

  # /proc: files right in it, and directories but for those of processes and sys.
  deny /proc/* wkl,
  deny /proc/[^1-9s]*/** wkl,
  deny /proc/s[^y]*/** wkl,
  deny /proc/sy[^s]*/** wkl,
  deny /proc/sys[^/]*/** wkl,
  # /proc/sys: but for kernel/shm*, which is the IPC namespace's.
  deny /proc/sys/[^k]** wkl,
  deny /proc/sys/k[^e]** wkl,
  deny /proc/sys/kernel/[^s]** wkl,
  deny /proc/sys/kernel/s[^h]** wkl,
  deny /proc/sys/kernel/sh[^m]** wkl,
  deny /proc/{sysrq-trigger,kcore,kmem} rwklx,

  # /sys: but for fs/cgroup.
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/{firmware,kernel/security,devices/virtual/powercap}/** rwklx,
}
`

/** Whether the kernel knows a profile of this name. @param profiles the kernel's list: a line each, `name (mode)` */
export function knowsProfile(name: string, profiles: string): boolean {
  return profiles.split('\n').some((line) => line.replace(/ \([a-z]+\)$/, '') === name)
}

/** Whether the default profile is there for containers. Asked at each start: somebody may have taken it away. */
export function hasDefaultAppArmorProfile(): boolean {
  try {
    return knowsProfile(DEFAULT_APPARMOR_PROFILE, readFileSync(PROFILES, 'utf8'))
  } catch {
    return false
  }
}

/**
 * Loads the default profile, once a boot: the kernel takes compiled profiles only, so apparmor_parser(8) does it.
 * @throws EngineError with what it said, or that there is none
 */
export async function loadDefaultAppArmorProfile(): Promise<void> {
  if (hasDefaultAppArmorProfile()) return
  await new Promise<void>((resolve, reject) => {
    const parser = spawn('apparmor_parser', ['--skip-cache', '--replace'], { stdio: ['pipe', 'ignore', 'pipe'], env: { PATH: '/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin', LC_ALL: 'C' } })
    let said = ''
    parser.stderr.on('data', (text: Buffer) => (said += text.toString()))
    parser.on('error', (cause) => reject(new EngineError('internal', `the AppArmor profile ${DEFAULT_APPARMOR_PROFILE} cannot be loaded: ${cause.message}`, { cause, hint: 'install the package apparmor, which has apparmor_parser' })))
    parser.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new EngineError('internal', `the AppArmor profile ${DEFAULT_APPARMOR_PROFILE} cannot be loaded: ${said.trim() || `apparmor_parser ended with ${code}`}`))
    })
    // It may end before it has read all.
    parser.stdin.on('error', () => undefined)
    parser.stdin.end(defaultAppArmorProfile)
  })
}
