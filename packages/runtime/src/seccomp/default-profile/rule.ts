import type { ProfileRule } from '../profile.ts'

/** What a rule may have besides its names. */
export type ProfileArguments = Pick<ProfileRule, 'args' | 'includes' | 'excludes'>

/** A rule that allows calls; names that an architecture has not are passed over when it is compiled. */
export function allow(names: readonly string[], more: ProfileArguments = {}): ProfileRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...more }
}

/** A rule that allows calls to containers that have a capability. */
export function allowWith(capability: string, names: readonly string[]): ProfileRule {
  return allow(names, { includes: { caps: [capability] } })
}
