import { readFileSync } from 'node:fs'

/** One mount of this process's mount namespace, proc_pid_mountinfo(5). */
export interface MountInfo {
  readonly mountPoint: string
  readonly type: string
  /** `shared:12`, `master:3` … ; none for a private mount. */
  readonly propagation: readonly string[]
  readonly superOptions: string
}

/** The mounts whose mount point is `directory` or lies below it. */
export function mountsBelow(directory: string): MountInfo[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter(({ mountPoint }) => mountPoint === directory || mountPoint.startsWith(`${directory}/`))
}

export function parseMountInfo(text: string): MountInfo[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ')
      const dash = fields.indexOf('-', 6)
      return {
        mountPoint: unescape(fields[4] ?? ''),
        type: fields[dash + 1] ?? '',
        propagation: fields.slice(6, dash),
        superOptions: fields[dash + 3] ?? '',
      }
    })
}

/** The kernel writes blanks and backslashes as three octal digits. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
