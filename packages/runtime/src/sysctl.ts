import { EngineError } from '@engine/linux'
import type { OciNamespace } from './spec.ts'

/** Sysctls of the IPC namespace besides fs.mqueue.* (Documentation/admin-guide/sysctl/kernel.rst). */
const ipc: ReadonlySet<string> = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
])

/**
 * A sysctl's name with dots between its parts, as sysctl(8) has it: when the first separator is `/`, slashes and dots change places
 * (`net/ipv4/conf/eth0.1/x` → `net.ipv4.conf.eth0/1.x`).
 */
export function normalizeSysctl(name: string): string {
  const first = /[./]/.exec(name)?.[0]
  if (first !== '/') return name
  return name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'))
}

/** The file of a sysctl below /proc/sys: `net.ipv4.conf.eth0/1.x` → `net/ipv4/conf/eth0.1/x`. */
export function sysctlFile(name: string): string {
  return normalizeSysctl(name).replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))
}

/**
 * Refuses sysctls that do not belong to a namespace of the container's own: they would change the host. A name is plain letters, digits,
 * `_`, `-` and separators: CRI-O's pinns was led to write kernel.core_pattern by a `+` in a value, which it took for a separator
 * (CVE-2022-0811), and a line end in a value could pass for another write. Texts are runc's, which Docker shows.
 * @param sysctls    name → value
 * @param namespaces the container's; a type that is not listed is the host's
 * @param hostname   whether the UTS namespace is the container's, see `kernel.domainname`
 * @throws EngineError invalid-argument
 */
export function checkSysctls(sysctls: Readonly<Record<string, string>>, namespaces: readonly OciNamespace[]): void {
  const own = (type: OciNamespace['type']): boolean => namespaces.some((namespace) => namespace.type === type)
  for (const [given, value] of Object.entries(sysctls)) {
    const name = normalizeSysctl(given)
    if (!/^[a-z0-9_-]+([./][A-Za-z0-9_@:-]+)+$/.test(name)) throw refused(`sysctl ${JSON.stringify(given)} is not in a separate kernel namespace`)
    if (!/^[\t\x20-\x7e]*$/.test(value) || value.includes('+')) throw refused(`sysctl ${JSON.stringify(given)} has an invalid value ${JSON.stringify(value)}`)
    if (ipc.has(name) || name.startsWith('fs.mqueue.')) {
      if (!own('ipc')) throw refused(`sysctl ${JSON.stringify(given)} is not allowed in the hosts ipc namespace`)
    } else if (name.startsWith('net.')) {
      if (!own('network')) throw refused(`sysctl ${JSON.stringify(given)} not allowed in host network namespace`)
    } else if (name === 'kernel.domainname') {
      if (!own('uts')) throw refused(`sysctl ${JSON.stringify(given)} is not allowed in the hosts UTS namespace`)
    } else if (name === 'kernel.hostname') {
      throw refused('sysctl "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" field')
    } else {
      throw refused(`sysctl ${JSON.stringify(given)} is not in a separate kernel namespace`)
    }
  }
}

function refused(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
