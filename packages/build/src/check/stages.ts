import { EngineError } from '@engine/linux'
import type { ImageConfig } from '@engine/image'
import { BuildArgs } from '../build-args.ts'
import type { Instruction, Stage, Stages } from '../dockerfile/instruction-types.ts'
import { parseInstruction } from '../dockerfile/instructions.ts'
import { parseDockerfile } from '../dockerfile/parse.ts'
import type { IgnoreMatcher } from '../dockerignore.ts'
import { StageGraph } from '../graph.ts'
import { automaticArgs } from '../solve.ts'
import { StageState } from '../stage-state.ts'
import type { Say } from './finding.ts'
import { FromChecker } from './from.ts'
import { InstructionChecker, StageScope } from './instructions.ts'
import { checkNode } from './lines.ts'

/** What a Dockerfile's arguments are. */
export interface CheckedArgs {
  /** `--build-arg` */
  readonly given: Readonly<Record<string, string | null>>
  /** Empty is the host's. */
  readonly platform: string
  /** Name of the stage that alone is asked for, with what it needs; empty is all. */
  readonly target: string
}

/** What rules about stages need to know besides the Dockerfile. */
export interface StageFacts {
  /** Configuration of the image that a stage begins from; undefined when it is not known. */
  readonly baseOf: (image: string, platform: string) => ImageConfig | undefined
  readonly ignore: IgnoreMatcher | undefined
}

/** What a build would fail with, without anything being built. */
export interface CheckFailure {
  readonly line: number
  readonly error: EngineError
}

/** The image that a stage begins from. */
export interface BaseImage {
  readonly image: string
  /** As `--platform` says; empty is the build's. */
  readonly platform: string
}

/** Follows stages as a build does, without making anything: names, arguments, variables, what an instruction says twice. */
export class StageChecker {
  readonly #file: Stages
  readonly #args: BuildArgs
  readonly #facts: StageFacts
  readonly #target: string
  readonly #say: Say
  readonly #from: FromChecker
  readonly #scopes = new Map<string, StageScope>()

  constructor(file: Stages, args: CheckedArgs, facts: StageFacts, say: Say) {
    this.#file = file
    this.#facts = facts
    this.#target = args.target
    this.#say = say
    this.#args = globalArgs(file, args.given, args)
    this.#from = new FromChecker({ args: this.#args, defaults: globalArgs(file, {}, args), escape: file.escape, platform: args.platform }, say)
  }

  /** Goes as far as a build would. @returns what it would fail with */
  check(): CheckFailure | undefined {
    const names = new Set<string>()
    for (const { name, line } of this.#file.stages) {
      if (name !== '' && names.has(name)) this.#say('DuplicateStageName', line, `Duplicate stage name "${name}", stage names should be unique`)
      names.add(name)
    }
    const needed = failing(this.#file.stages.at(-1)?.line ?? 1, () => this.#needed())
    if (needed.failure !== undefined) return needed.failure
    for (const stage of this.#file.stages) this.#from.checkDefault(stage, names)
    for (const stage of needed.value) {
      const failure = this.#checkStage(stage)
      if (failure !== undefined) return failure
    }
    return undefined
  }

  /** The images that stages begin from; those that no stage can begin from are told of by {@link check}. */
  bases(): BaseImage[] {
    const bases = new Map<string, BaseImage>()
    const names = new Set<string>()
    for (const stage of failing(1, () => this.#needed()).value ?? []) {
      const base = this.#from.baseOf(stage)
      if (base !== undefined && base.image !== 'scratch' && !names.has(base.image.toLowerCase())) bases.set(`${base.image} ${base.platform}`, base)
      names.add(stage.name)
    }
    return [...bases.values()]
  }

  #needed(): readonly Stage[] {
    if (this.#target === '') return this.#file.stages
    const graph = new StageGraph(this.#file, this.#args.globals())
    return graph.needed(graph.target(this.#target)).map(({ stage }) => stage)
  }

  #checkStage(stage: Stage): CheckFailure | undefined {
    const begun = failing(stage.line, () => this.#from.check(stage))
    if (begun.failure !== undefined) return begun.failure
    const { scope, triggers } = this.#begin(stage, begun.value)
    const checker = new InstructionChecker(scope, this.#file.escape, this.#facts.ignore, this.#say)
    for (const instruction of [...triggers, ...stage.instructions]) {
      const { failure } = failing(instruction.line, () => checker.check(instruction))
      if (failure !== undefined) return failure
    }
    if (stage.name !== '') this.#scopes.set(stage.name, scope)
    return undefined
  }

  /** What a stage finds at its beginning, and what its base has for those who build on it, told of at the line of FROM. */
  #begin(stage: Stage, { image, platform }: BaseImage): { readonly scope: StageScope; readonly triggers: readonly Instruction[] } {
    const below = this.#scopes.get(image.toLowerCase())
    const found = below === undefined && image !== 'scratch' ? this.#facts.baseOf(image, platform) : undefined
    if (found !== undefined) this.#from.checkPlatform(stage, image, platform, found)
    const config = structuredClone(below?.state.config ?? found?.config ?? {})
    const triggers = config.OnBuild ?? []
    delete config.OnBuild
    const state = new StageState({ id: 'of a check', content: '', config, author: '' }, this.#args.forStage(below?.state.args))
    const known = below?.known ?? (image === 'scratch' || found !== undefined)
    return { scope: new StageScope(state, known, below?.workdirSet ?? false), triggers: triggers.flatMap((text) => this.#trigger(text, stage.line)) }
  }

  #trigger(text: string, line: number): Instruction[] {
    return parseDockerfile(text).nodes.map((node) => {
      checkNode(node, line, this.#say)
      return { ...parseInstruction(node), line }
    })
  }
}

/** Arguments before the first FROM. */
function globalArgs(file: Stages, given: CheckedArgs['given'], { platform, target }: CheckedArgs): BuildArgs {
  const args = new BuildArgs(given, automaticArgs(platform, target))
  for (const instruction of file.globalArgs) failing(instruction.line, () => args.declareGlobals(instruction.args, file.escape))
  return args
}

type Outcome<T> = { readonly value: T; readonly failure?: undefined } | { readonly value?: undefined; readonly failure: CheckFailure }

function failing<T>(line: number, work: () => T): Outcome<T> {
  try {
    return { value: work() }
  } catch (error) {
    if (error instanceof EngineError) return { failure: { line, error } }
    throw error
  }
}
