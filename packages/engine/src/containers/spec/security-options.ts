import { EngineError } from '@engine/linux'

/** What HostConfig.SecurityOpt asks for. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean
  /** `default`, `unconfined`, or a profile's JSON. */
  readonly seccomp: 'default' | 'unconfined' | { readonly profile: string }
  /** No masked and no read-only paths. */
  readonly systemPathsUnconfined: boolean
  /** The container may change its own cgroup. */
  readonly writableCgroups: boolean
  /** The profile that the container is under; the kernel must know it. */
  readonly apparmor: string | undefined
}

/**
 * Reads HostConfig.SecurityOpt (moby parseSecurityOpt), `name=value` or the older `name:value`.
 * SELinux labels are taken and mean nothing: as with Docker on a host without SELinux.
 * @throws EngineError in Docker's words
 */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let noNewPrivileges = false
  let seccomp: SecurityOptions['seccomp'] = 'default'
  let systemPathsUnconfined = false
  let writableCgroups = false
  let apparmor: string | undefined
  for (const option of options) {
    if (option === 'no-new-privileges') {
      noNewPrivileges = true
      continue
    }
    if (option === 'disable') continue
    const match = /^([a-z-]+)[=:]([^]*)$/.exec(option)
    if (match === null) throw new EngineError('invalid-argument', `invalid --security-opt 1: ${JSON.stringify(option)}`)
    const [, name, value = ''] = match
    switch (name) {
      case 'label':
        break
      case 'apparmor':
        apparmor = value
        break
      case 'seccomp':
        seccomp = value === 'unconfined' ? 'unconfined' : value === 'builtin' ? 'default' : { profile: value }
        break
      case 'no-new-privileges':
        noNewPrivileges = flag(value, option)
        break
      case 'writable-cgroups':
        writableCgroups = flag(value, option)
        break
      case 'systempaths':
        if (value !== 'unconfined') throw wrong(option)
        systemPathsUnconfined = true
        break
      default:
        throw wrong(option)
    }
  }
  return { noNewPrivileges, seccomp, systemPathsUnconfined, writableCgroups, apparmor }
}

const wrong = (option: string): EngineError => new EngineError('invalid-argument', `invalid --security-opt 2: ${JSON.stringify(option)}`)

/** Go's strconv.ParseBool. */
function flag(value: string, option: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false
  throw wrong(option)
}
