import { existsSync, readFileSync } from 'node:fs'

/** Whether the kernel has AppArmor and uses it. */
export function hasAppArmor(): boolean {
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'latin1').startsWith('Y') && existsSync('/sys/kernel/security/apparmor')
  } catch {
    return false
  }
}

/** The file that says under which profile a process goes on after execve: its own of AppArmor's since Linux 5.8, shared with other modules before. */
export function profileFile(): string {
  return existsSync('/proc/self/attr/apparmor/exec') ? '/proc/self/attr/apparmor/exec' : '/proc/self/attr/exec'
}
