import { fullName, parseReference, withDefaultTag } from '@engine/image'
import { EngineError } from '@engine/linux'
import { understand } from '../dockerfile/understand.ts'
import type { Executor } from '../executor.ts'
import type { BuildOutput } from '../output.ts'
import { automaticArgs } from '../solve.ts'
import { checkDockerfile, showFinding } from './check.ts'
import { baseImages } from './stages.ts'

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

/** `# check=error=true`: findings fail a build, too. */
export function asksForChecks(text: string): boolean {
  return /^#\s*check\s*=.*error\s*=\s*true/im.test(text)
}

/**
 * Tells what BuildKit's rules have to say of a Dockerfile. What they say of variables depends on the base images: as with BuildKit it is
 * an error when one cannot be had, told after what was found without it.
 * @throws EngineError when they say anything
 */
export async function check(text: string, request: CheckRequest, ignore: readonly string[], executor: Pick<Executor, 'lookUp'>, output: BuildOutput): Promise<void> {
  const given = Object.entries(request.buildArgs).filter((entry): entry is [string, string] => entry[1] !== null)
  const args = new Map([...Object.entries(automaticArgs(request.platform, request.target)), ...given])
  const environments = new Map<string, readonly string[]>()
  let unknown: EngineError | undefined
  for (const base of baseImages(understand(text), args)) {
    if (request.contexts?.[base] !== undefined) continue
    try {
      environments.set(base, (await executor.lookUp(base, request.platform)).Env ?? [])
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      unknown ??= new EngineError(error.code, `${base}: failed to resolve source metadata for ${nameOf(base)}: ${error.message}`, { cause: error, hint: error.hint })
    }
  }
  const { findings } = checkDockerfile(text, { args, environmentOf: (image) => environments.get(image), ignore })
  const tell = (line: string): Promise<void> | void => (request.check === true ? output.write({ stream: line }) : output.stderr(line))
  for (const finding of findings) await tell(`${showFinding(finding, request.dockerfile)}\n`)
  if (unknown !== undefined && request.check === true) throw unknown
  if (findings.length > 0) throw new EngineError('invalid-argument', `check complete, ${findings.length} warning${findings.length === 1 ? ' has' : 's have'} been found!`)
  if (request.check === true) await tell('Check complete, no warnings found.\n')
}

function nameOf(base: string): string {
  try {
    return fullName(withDefaultTag(parseReference(base)))
  } catch (error) {
    if (error instanceof EngineError) return base
    throw error
  }
}
