import { EngineError } from '@engine/linux'
import { quote } from '../dockerfile/go-text.ts'

/** Names of the rules, as BuildKit has them (frontend/dockerfile/docs/rules). */
export const ruleNames = [
  'ConsistentInstructionCasing', 'CopyIgnoredFile', 'DuplicateStageName', 'ExposeInvalidFormat', 'ExposeProtoCasing', 'FromAsCasing',
  'FromPlatformFlagConstDisallowed', 'InvalidBaseImagePlatform', 'InvalidDefaultArgInFrom', 'InvalidDefinitionDescription', 'JSONArgsRecommended',
  'LegacyKeyValueFormat', 'MaintainerDeprecated', 'MultipleInstructionsDisallowed', 'NoEmptyContinuation', 'RedundantTargetPlatform',
  'ReservedStageName', 'SecretsUsedInArgOrEnv', 'StageNameCasing', 'UndefinedArgInFrom', 'UndefinedVar', 'WorkdirRelativePath',
] as const

export type RuleName = (typeof ruleNames)[number]

/** Rules that are off unless a Dockerfile asks for them. */
const experimental: ReadonlySet<RuleName> = new Set<RuleName>(['CopyIgnoredFile', 'InvalidDefinitionDescription'])

/** What a rule has to say of a line. */
export interface Finding {
  readonly rule: RuleName
  /** From 1. */
  readonly line: number
  readonly text: string
}

/** Takes what a rule has to say. */
export type Say = (rule: RuleName, line: number, text: string) => void

/** `# check=skip=A,B;error=true;experimental=C` */
export interface CheckOptions {
  /** `all`, or names. */
  readonly skip: ReadonlySet<string>
  /** Findings fail a build. */
  readonly error: boolean
  /** Rules that are off unless they are named here, or all of them. */
  readonly experimental: ReadonlySet<string>
}

/**
 * Reads the directive `check`; the build argument BUILDKIT_DOCKERFILE_CHECK has the same form.
 * @throws EngineError invalid-argument in BuildKit's words
 */
export function readCheckOptions(text: string): CheckOptions {
  const options: { skip: Set<string>; error: boolean; experimental: Set<string> } = { skip: new Set(), error: false, experimental: new Set() }
  const [first = '', second, ...rest] = text.trim().split(';')
  const fields = [first, second, rest.length === 0 ? undefined : rest.join(';')].filter((field) => field !== undefined)
  if (text.trim() === '') return options
  for (const field of fields) {
    const equals = field.indexOf('=')
    if (equals < 0) throw invalid(`invalid check option ${quote(field)}`)
    const key = field.slice(0, equals).trim()
    const value = field.slice(equals + 1).trim()
    if (key === 'skip' || key === 'experimental') options[key] = new Set(value.split(',').map((name) => name.trim()))
    else if (key === 'error') options.error = readTruth(value, field)
    else throw invalid(`invalid check option ${quote(key)}`)
  }
  return options
}

/** Whether a finding is to be told. */
export function isWanted({ rule }: Finding, options: CheckOptions): boolean {
  if (experimental.has(rule)) return options.experimental.has('all') || options.experimental.has(rule)
  return !options.skip.has('all') && !options.skip.has(rule)
}

/** strconv.ParseBool */
function readTruth(value: string, field: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false
  throw invalid(`failed to parse check option ${quote(field)}: strconv.ParseBool: parsing ${quote(value)}: invalid syntax`)
}

function invalid(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
