import type { ImageConfig } from '@engine/image'
import { EngineError } from '@engine/linux'
import { parseInstructions } from '../dockerfile/instructions.ts'
import { parseDockerfile } from '../dockerfile/parse.ts'
import { IgnoreMatcher } from '../dockerignore.ts'
import { isWanted, readCheckOptions, type CheckOptions, type Finding, type Say } from './finding.ts'
import { checkLines } from './lines.ts'
import { StageChecker, type CheckedArgs, type CheckFailure } from './stages.ts'

export interface CheckFacts extends CheckedArgs {
  /** Configuration of the image that a stage begins from; undefined when it is not known. */
  readonly baseOf: (image: string, platform: string) => ImageConfig | undefined
  /** Patterns of .dockerignore. */
  readonly ignore: readonly string[]
}

export interface Checked {
  /** By line. */
  readonly findings: readonly Finding[]
  /** What a build of it would fail with; nothing after it was looked at. */
  readonly failure: CheckFailure | undefined
}

/**
 * Checks a Dockerfile by BuildKit's rules.
 * @throws EngineError invalid-argument for what is no Dockerfile
 */
export function checkDockerfile(text: string, facts: CheckFacts): Checked {
  const file = parseDockerfile(text)
  const stages = parseInstructions(file)
  const options = checkOptions(text, facts.given)
  const found: Finding[] = []
  const say: Say = (rule, line, message) => void found.push({ rule, line, text: message })
  checkLines(file, say)
  const ignore = facts.ignore.length === 0 ? undefined : new IgnoreMatcher(facts.ignore)
  const failure = new StageChecker(stages, facts, { baseOf: facts.baseOf, ignore }, say).check()
  return { findings: found.filter((finding) => isWanted(finding, options)).toSorted((a, b) => a.line - b.line), failure }
}

/**
 * What a build's argument, or else the Dockerfile, says of checks.
 * @throws EngineError invalid-argument in BuildKit's words
 */
export function checkOptions(text: string, given: CheckedArgs['given']): CheckOptions {
  const asked = given['BUILDKIT_DOCKERFILE_CHECK']
  const [what, options] = typeof asked === 'string' ? ['build-arg:BUILDKIT_DOCKERFILE_CHECK', asked] : ['check options', parseDockerfile(text).directives.get('check') ?? '']
  try {
    return readCheckOptions(options)
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError(error.code, `failed to parse ${what}: ${error.message}`, { cause: error })
    throw error
  }
}

/** `Dockerfile:3: UndefinedVar: Usage of …` */
export function showFinding({ rule, line, text }: Finding, name: string): string {
  return `${name}:${line}: ${rule}: ${text}`
}
