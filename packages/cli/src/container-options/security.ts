import { readFileSync } from 'node:fs'
import { cut } from '../arguments/csv.ts'
import { errorText } from '../arguments/error-text.ts'

export interface SecurityOptions {
  readonly options: string[] | null
  /** `[]` with `systempaths=unconfined`, else null: the daemon's defaults. */
  readonly paths: [] | null
}

/** Reads `--security-opt`s; a seccomp profile's file is read here and sent as JSON. @throws Error with docker's text */
export function readSecurityOptions(given: readonly string[]): SecurityOptions {
  const options: string[] = []
  let unconfined = false
  for (const option of given) {
    const equals = cut(option)
    const [key, setting] = equals[1] === undefined ? cut(option, ':') : equals
    if (setting === undefined && key !== 'no-new-privileges') throw new Error(`Invalid --security-opt: ${JSON.stringify(option)}`)
    if (option === 'systempaths=unconfined') unconfined = true
    else if (key === 'seccomp' && setting !== undefined && setting !== 'unconfined' && setting !== 'builtin') options.push(`seccomp=${readProfile(setting)}`)
    else options.push(option)
  }
  return { options: options.length === 0 ? null : options, paths: unconfined ? [] : null }
}

function readProfile(path: string): string {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`opening seccomp profile (${path}) failed: open ${path}: ${errorText(error)}`, { cause: error })
  }
  try {
    return JSON.stringify(JSON.parse(content))
  } catch (error) {
    throw new Error(`compacting json for seccomp profile (${path}) failed: ${(error as Error).message}`, { cause: error })
  }
}

/** `net_admin` as `CAP_NET_ADMIN`, each once and sorted, as docker sends them; `ALL` stands alone. */
export function normaliseCapabilities(given: readonly string[]): string[] | null {
  const names = given.map((name) => {
    const upper = name.trim().toUpperCase()
    return upper === 'ALL' || upper === 'CAP_ALL' ? 'ALL' : upper.startsWith('CAP_') ? upper : `CAP_${upper}`
  })
  return names.length === 0 ? null : [...new Set(names)].sort()
}
