import { fullName, parseReference, withDefaultTag, type ImageConfig } from '@engine/image'
import { EngineError } from '@engine/linux'
import { understand } from '../dockerfile/understand.ts'
import type { Executor } from '../executor.ts'
import type { BuildOutput } from '../output.ts'
import { checkDockerfile, checkOptions, showFinding } from './check.ts'
import { StageChecker } from './stages.ts'

/** What a check is asked about. */
export interface CheckRequest {
  /** The Dockerfile's path, as it is told. */
  readonly dockerfile: string
  readonly platform: string
  readonly target: string
  readonly buildArgs: Readonly<Record<string, string | null>>
  /** Names that mean something of the client's: what their environment is, is not looked at. */
  readonly contexts?: Readonly<Record<string, string>> | undefined
  /** Nothing but the check is wanted. */
  readonly check?: boolean | undefined
}

/** `# check=error=true`, or the same by a build argument: findings fail a build, too. @throws EngineError invalid-argument for options that are none */
export function asksForChecks(text: string, { buildArgs }: Pick<CheckRequest, 'buildArgs'>): boolean {
  return checkOptions(text, buildArgs).error
}

/**
 * Tells what BuildKit's rules have to say of a Dockerfile. What they say of variables depends on the base images: as with BuildKit it is
 * an error when one cannot be had, told after what was found without it. So is what a build would fail with in any case.
 * @throws EngineError when they say anything
 */
export async function check(text: string, request: CheckRequest, ignore: readonly string[], executor: Pick<Executor, 'lookUp'>, output: BuildOutput): Promise<void> {
  const args = { given: request.buildArgs, platform: request.platform, target: request.target }
  const known = new Map<string, ImageConfig>()
  const nothing = { baseOf: () => undefined, ignore: undefined }
  let unknown: EngineError | undefined
  for (const { image, platform } of new StageChecker(understand(text), args, nothing, () => undefined).bases()) {
    if (request.contexts?.[image] !== undefined) continue
    try {
      known.set(`${image} ${platform}`, await executor.lookUp(image, platform || request.platform))
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      unknown ??= new EngineError(error.code, `${image}: failed to resolve source metadata for ${nameOf(image)}: ${error.message}`, { cause: error, hint: error.hint })
    }
  }
  const { findings, failure } = checkDockerfile(text, { ...args, baseOf: (image, platform) => known.get(`${image} ${platform}`), ignore })
  const name = shownName(request.dockerfile)
  const tell = (line: string): Promise<void> | void => (request.check === true ? output.write({ stream: line }) : output.stderr(line))
  for (const finding of findings) await tell(`${showFinding(finding, name)}\n`)
  if (request.check === true) {
    if (failure !== undefined) throw new EngineError(failure.error.code, `${name}:${failure.line}: ${failure.error.message}`, { cause: failure.error })
    if (unknown !== undefined) throw unknown
  }
  if (findings.length > 0) throw new EngineError('invalid-argument', `check complete, ${findings.length} warning${findings.length === 1 ? ' has' : 's have'} been found!`)
  if (request.check === true) await tell('Check complete, no warnings found.\n')
}

/** A Dockerfile from outside of its context comes under a name of the command's. */
function shownName(dockerfile: string): string {
  return /^\.dockerfile\.[0-9a-f]{20}$/.test(dockerfile) ? 'Dockerfile' : dockerfile
}

function nameOf(base: string): string {
  try {
    return fullName(withDefaultTag(parseReference(base)))
  } catch (error) {
    if (error instanceof EngineError) return base
    throw error
  }
}
