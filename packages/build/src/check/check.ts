import { parseInstructions } from '../dockerfile/instructions.ts'
import { parseDockerfile } from '../dockerfile/parse.ts'
import { IgnoreMatcher } from '../dockerignore.ts'
import { isWanted, readCheckOptions, type Finding } from './finding.ts'
import { checkLines } from './lines.ts'
import { checkStages } from './stages.ts'

export interface CheckFacts {
  readonly args: ReadonlyMap<string, string>
  readonly environmentOf: (image: string) => readonly string[] | undefined
  /** Patterns of .dockerignore. */
  readonly ignore: readonly string[]
}

export interface Checked {
  /** By line. */
  readonly findings: readonly Finding[]
  /** The Dockerfile asks that findings fail the build. */
  readonly failing: boolean
}

/**
 * Checks a Dockerfile by BuildKit's rules.
 * @throws EngineError invalid-argument for what is no Dockerfile
 */
export function checkDockerfile(text: string, facts: CheckFacts): Checked {
  const file = parseDockerfile(text)
  const stages = parseInstructions(file)
  const options = readCheckOptions(facts.args.get('BUILDKIT_DOCKERFILE_CHECK') ?? file.directives.get('check') ?? '')
  const ignore = facts.ignore.length === 0 ? undefined : new IgnoreMatcher(facts.ignore)
  const found = [...checkLines(file, text), ...checkStages(stages, { args: facts.args, environmentOf: facts.environmentOf, ignore })]
  return { findings: found.filter((finding) => isWanted(finding, options)).toSorted((a, b) => a.line - b.line), failing: options.error }
}

/** `Dockerfile:3: UndefinedVar: Usage of …` */
export function showFinding({ rule, line, text }: Finding, name: string): string {
  return `${name}:${line}: ${rule}: ${text}`
}
