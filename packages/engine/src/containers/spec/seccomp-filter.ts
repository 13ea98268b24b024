import { compileToFile, defaultProfile, parseProfile } from '@engine/runtime'
import type { SecurityOptions } from './security-options.ts'

/**
 * The compiled seccomp filter of a container with these capabilities.
 * @param directory where compiled ones are kept
 * @returns its path; undefined for none
 * @throws EngineError in Docker's words for a profile that is none
 */
export async function seccompFilter(security: SecurityOptions, capabilities: readonly string[], privileged: boolean, directory: string): Promise<string | undefined> {
  if (security.seccomp === 'unconfined' || (privileged && security.seccomp === 'default')) return undefined
  const profile = security.seccomp === 'default' ? defaultProfile({ capabilities }) : parseProfile(security.seccomp.profile, { capabilities })
  return profile === undefined ? undefined : compileToFile(profile, directory)
}
