/** Names of the rules, as BuildKit has them (frontend/dockerfile/docs/rules). */
export const ruleNames = [
  'ConsistentInstructionCasing', 'CopyIgnoredFile', 'DuplicateStageName', 'ExposeInvalidFormat', 'ExposeProtoCasing', 'FromAsCasing',
  'FromPlatformFlagConstDisallowed', 'InvalidDefaultArgInFrom', 'InvalidDefinitionDescription', 'JSONArgsRecommended', 'LegacyKeyValueFormat',
  'MaintainerDeprecated', 'MultipleInstructionsDisallowed', 'NoEmptyContinuation', 'RedundantTargetPlatform', 'ReservedStageName',
  'SecretsUsedInArgOrEnv', 'StageNameCasing', 'UndefinedArgInFrom', 'UndefinedVar', 'WorkdirRelativePath',
] as const

export type RuleName = (typeof ruleNames)[number]

/** What a rule has to say of a line. */
export interface Finding {
  readonly rule: RuleName
  /** From 1. */
  readonly line: number
  readonly text: string
}

/** `# check=skip=A,B;error=true;experimental=C` */
export interface CheckOptions {
  /** `all`, or names in lower case. */
  readonly skip: ReadonlySet<string>
  /** Findings fail a build. */
  readonly error: boolean
  /** Rules that are off unless they are named here. */
  readonly experimental: ReadonlySet<string>
}

/** Reads the directive `check`; the build argument BUILDKIT_DOCKERFILE_CHECK has the same form. */
export function readCheckOptions(text: string): CheckOptions {
  const fields = new Map(text.split(';').map((field) => {
    const equals = field.indexOf('=')
    return [field.slice(0, Math.max(0, equals)).trim().toLowerCase(), field.slice(equals + 1).trim()]
  }))
  const names = (key: string): Set<string> => new Set((fields.get(key) ?? '').split(',').map((name) => name.trim().toLowerCase()).filter((name) => name !== ''))
  return { skip: names('skip'), error: (fields.get('error') ?? '').toLowerCase() === 'true', experimental: names('experimental') }
}

/** Whether a finding is to be told. */
export function isWanted({ rule }: Finding, { skip, experimental }: CheckOptions): boolean {
  const name = rule.toLowerCase()
  if (rule === 'InvalidDefinitionDescription') return experimental.has('all') || experimental.has(name)
  return !skip.has('all') && !skip.has(name)
}
