import { EngineError } from '@engine/linux'
import { compileToFile, defaultProfile, filterFlags, parseProfile, type OciSeccomp } from '@engine/runtime'
import { refusal } from '../start-error.ts'
import type { SecurityOptions } from './security-options.ts'

/** The seccomp profile of a container with these capabilities; undefined for none. @throws EngineError in Docker's words for a profile that is none */
export function seccompProfile(security: SecurityOptions, capabilities: readonly string[], privileged: boolean): OciSeccomp | undefined {
  if (security.seccomp === 'unconfined' || (privileged && security.seccomp === 'default')) return undefined
  return security.seccomp === 'default' ? defaultProfile({ capabilities }) : parseProfile(security.seccomp.profile, { capabilities })
}

/**
 * A profile compiled, as the shim takes it.
 * @param directory where compiled ones are kept
 * @throws EngineError in runc's words for a profile that cannot be
 */
export async function seccompFilter(profile: OciSeccomp | undefined, directory: string): Promise<{ readonly seccompFilter?: string; readonly seccompFlags?: number }> {
  if (profile === undefined) return {}
  try {
    return { seccompFilter: await compileToFile(profile, directory), seccompFlags: filterFlags(profile) }
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'invalid-argument') throw error
    throw new EngineError(error.code, refusal(error.message), { cause: error })
  }
}
