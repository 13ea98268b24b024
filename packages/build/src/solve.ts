import { EngineError } from '@engine/linux'
import { hostPlatform, parsePlatform, type Platform } from '@engine/image'
import { BuildArgs } from './build-args.ts'
import { expandWord } from './dockerfile/expand.ts'
import type { Instruction, Stages } from './dockerfile/instruction-types.ts'
import { parseInstruction } from './dockerfile/instructions.ts'
import { parseDockerfile } from './dockerfile/parse.ts'
import type { BuildImage } from './executor.ts'
import { StageGraph, type StageNode } from './graph.ts'
import { shortId, type BuildOutput } from './output.ts'
import { StageLines } from './stage-lines.ts'
import { StageState } from './stage-state.ts'
import { configure } from './steps/config.ts'
import { copy } from './steps/copy.ts'
import { run } from './steps/run.ts'
import type { Build, FromRoot, Step } from './steps/step.ts'
import { workdir } from './steps/workdir.ts'

export interface SolveOptions {
  /** Name of the stage to build; empty is the last. */
  readonly target: string
  readonly buildArgs: Readonly<Record<string, string | null>>
  /** Labels for the image, besides the Dockerfile's. */
  readonly labels: Readonly<Record<string, string>>
}

/** What a Dockerfile became. */
export interface Solved {
  /** Id of the target's image. */
  readonly image: string
  /** Id of what the target's stage begins from, an image or another stage's; empty for `scratch`. */
  readonly base: string
}

/**
 * Carries out a Dockerfile. Every step makes an image, as in Docker's classic builder; stages that the target does not need are left
 * out, and those that do not wait for each other are built at once.
 * @throws EngineError with Docker's texts; BuildFailure when a command failed
 */
export async function solve(file: Stages, options: SolveOptions, build: Build): Promise<Solved> {
  return new Solver(file, options, build).solve()
}

class Solver {
  readonly #file: Stages
  readonly #options: SolveOptions
  readonly #build: Build
  readonly #args: BuildArgs
  /** Stages that are built or being built. */
  readonly #stages = new Map<StageNode, Promise<BuildImage>>()
  readonly #argsOf = new Map<StageNode, BuildArgs>()
  readonly #bases = new Map<StageNode, string>()
  readonly #graph: StageGraph
  readonly #stop = new AbortController()
  #lines: StageLines | undefined
  #total = 0

  constructor(file: Stages, options: SolveOptions, build: Build) {
    this.#file = file
    this.#options = options
    // One stage's failure ends the others.
    this.#build = { ...build, signal: AbortSignal.any([build.signal, this.#stop.signal]) }
    this.#args = new BuildArgs(options.buildArgs, automaticArgs(build.platform, options.target))
    for (const { args } of file.globalArgs) this.#args.declareGlobals(args, file.escape)
    this.#graph = new StageGraph(file, this.#args.globals(), build.contexts)
  }

  async solve(): Promise<Solved> {
    const { output } = this.#build
    const target = this.#graph.target(this.#options.target)
    for (const warning of this.#file.warnings) await output.stderr(`[WARNING]: ${warning}\n`)
    if (this.#file.warnings.length > 0) await output.stderr('[WARNING]: Empty continuation lines will become errors in a future release.\n')
    const needed = this.#graph.needed(target)
    this.#total = this.#file.globalArgs.length + needed.reduce((sum, node) => sum + this.#stepsOf(node, target), 0)
    for (const [index, arg] of this.#file.globalArgs.entries()) await this.#announce(output, index + 1, arg.code)
    const image = await this.#buildAll(needed, target)
    const unused = this.#args.unused(this.#options.buildArgs)
    if (unused.length > 0) await output.stdout(`[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n`)
    if (image === '') throw new EngineError('invalid-argument', 'No image was generated. Is your Dockerfile empty?')
    return { image, base: this.#bases.get(target) ?? '' }
  }

  /** Builds stages at once, each as far as it does not wait for another. When one fails the others are ended first. */
  async #buildAll(needed: readonly StageNode[], target: StageNode): Promise<string> {
    const { output } = this.#build
    const lines = new StageLines((line) => output.write(line), needed.length)
    this.#lines = output.kind === 'classic' ? lines : undefined
    let first = this.#file.globalArgs.length + 1
    let failure: { readonly error: unknown } | undefined
    const work = needed.map(async (node, index) => {
      const begin = first
      first += this.#stepsOf(node, target)
      const own = this.#lines === undefined ? output.with((line) => output.write(line)) : output.with(lines.stage(index))
      try {
        await this.#stage(node, target, own, begin)
      } catch (error) {
        failure ??= { error }
        this.#stop.abort(error)
      } finally {
        await lines.end(index)
      }
    })
    await Promise.all(work)
    if (failure !== undefined) throw failure.error
    return (await this.#stages.get(target))?.id ?? ''
  }

  async #announce(output: BuildOutput, step: number, code: string): Promise<void> {
    this.#build.signal.throwIfAborted()
    await output.line(`Step ${step}/${this.#total} : ${code}`)
  }

  /** How many steps a stage has, FROM included. */
  #stepsOf(node: StageNode, target: StageNode): number {
    return 1 + this.#instructionsOf(node, target).length
  }

  /** A stage's instructions; the target gets the labels of the build besides. */
  #instructionsOf(node: StageNode, target: StageNode): readonly Instruction[] {
    if (node !== target) return node.stage.instructions
    const labels = Object.entries(this.#options.labels).toSorted(([a], [b]) => (a < b ? -1 : 1))
    const added = labels.map(([key, value]): Instruction => ({ kind: 'label', code: `LABEL ${key}=${value}`, line: 0, pairs: [{ key, value }], expand: false }))
    return [...node.stage.instructions, ...added]
  }

  /** Builds a stage, once. @param first number of its first step */
  #stage(node: StageNode, target: StageNode, output: BuildOutput, first: number): Promise<BuildImage> {
    let stage = this.#stages.get(node)
    if (stage === undefined) {
      stage = this.#carryOut(node, target, output, first)
      this.#stages.set(node, stage)
    }
    return stage
  }

  async #carryOut(node: StageNode, target: StageNode, output: BuildOutput, first: number): Promise<BuildImage> {
    const instructions = this.#instructionsOf(node, target)
    const shown = (step: number, code: string): string => `[${node.stage.name || `stage-${node.index}`} ${step}/${instructions.length + 1}] ${code}`
    await this.#announce(output, first, node.stage.code)
    const base = await this.#base(node, target, output)
    this.#bases.set(node, base.id)
    await output.begin(shown(1, node.stage.code))
    const below = node.baseStage === undefined ? undefined : this.#graph.nodes[node.baseStage]
    const state = new StageState(base, this.#args.forStage(below && this.#argsOf.get(below)))
    this.#argsOf.set(node, state.args)
    const step: Step = { build: this.#build, state, output, openFrom: (from) => this.#openFrom(from, node, target, output) }
    await output.end()
    await this.#triggers(step)
    await output.stdout(` ---> ${shortId(state.image)}\n`)
    for (const [index, instruction] of instructions.entries()) {
      await this.#announce(output, first + index + 1, instruction.code)
      await told(step, shown(index + 2, instruction.code), instruction)
      await output.stdout(` ---> ${shortId(state.image)}\n`)
    }
    if (state.image === '') return scratch
    await output.image(state.image)
    return this.#build.executor.image(state.image)
  }

  async #base(node: StageNode, target: StageNode, output: BuildOutput): Promise<BuildImage> {
    const named = this.#build.contexts.get(node.base)
    if (named?.kind === 'directory') throw new EngineError('invalid-argument', `the named context ${node.base} is a directory and no image`)
    const reference = named?.reference ?? node.base
    if (node.stage.platform !== '') {
      const platform = expandWord(node.stage.platform, this.#args.globals(), { escape: this.#file.escape })
      parsePlatform(platform)
      if (node.baseStage === undefined && reference !== 'scratch') return this.#build.executor.resolve(reference, platform, (line) => output.write(line))
    }
    const stage = node.baseStage === undefined ? undefined : this.#graph.nodes[node.baseStage]
    if (stage !== undefined) return this.#stage(stage, target, output, 1)
    if (reference === 'scratch') return scratch
    return this.#build.executor.resolve(reference, this.#build.platform, (line) => output.write(line))
  }

  async #openFrom(from: string, node: StageNode, target: StageNode, output: BuildOutput): Promise<FromRoot> {
    const named = this.#build.contexts.get(from)
    if (named?.kind === 'directory') return { fd: named.fd, image: undefined, [Symbol.asyncDispose]: async () => undefined }
    const stage = named === undefined ? this.#graph.find(from, node.index) : undefined
    const image = stage === undefined ? await this.#build.executor.resolve(named?.reference ?? from, this.#build.platform, (line) => output.write(line)) : await this.#stage(stage, target, output, 1)
    const root = await this.#build.executor.openRoot(image.id)
    return { fd: root.fd, image, [Symbol.asyncDispose]: () => root[Symbol.asyncDispose]() }
  }

  /** Carries out the instructions that the base image has for those who build on it. */
  async #triggers(step: Step): Promise<void> {
    const triggers = step.state.config.OnBuild ?? []
    delete step.state.config.OnBuild
    if (triggers.length === 0) return
    await step.output.line(`# Executing ${triggers.length} build trigger${triggers.length > 1 ? 's' : ''}`)
    for (const trigger of triggers) {
      const { nodes } = parseDockerfile(trigger)
      const [node, ...more] = nodes
      if (node === undefined || more.length > 0) throw new EngineError('invalid-argument', 'onbuild trigger should be a single expression')
      await told(step, `ONBUILD ${trigger}`, parseInstruction(node))
    }
  }
}

/** Carries out an instruction, and tells engine's own command of it. */
async function told(step: Step, name: string, instruction: Instruction): Promise<void> {
  await step.output.begin(name)
  try {
    await dispatch(step, instruction)
  } catch (error) {
    await step.output.end(error instanceof Error ? error.message : String(error))
    throw error
  }
  await step.output.end()
}

async function dispatch(step: Step, instruction: Instruction): Promise<void> {
  step.build.signal.throwIfAborted()
  switch (instruction.kind) {
    case 'run':
      return run(step, instruction)
    case 'copy':
    case 'add':
      return copy(step, instruction)
    case 'workdir':
      return workdir(step, instruction)
    default:
      return configure(step, instruction)
  }
}

const scratch: BuildImage = { id: '', content: '', config: {}, author: '' }

/**
 * Values of the arguments that every build has; a stage sees them after `ARG NAME`.
 * @param platform that is built for; empty is the host's
 * @param target   the stage that is asked for; empty is the last
 */
export function automaticArgs(platform: string, target: string): Record<string, string> {
  const build = hostPlatform()
  const wanted = platform === '' ? build : parsePlatform(platform)
  return { ...describe('BUILD', build), ...describe('TARGET', wanted), TARGETSTAGE: target === '' ? 'default' : target }
}

function describe(prefix: string, { os, architecture, variant }: Platform): Record<string, string> {
  return {
    [`${prefix}PLATFORM`]: [os, architecture, variant].filter((part) => part !== undefined).join('/'),
    [`${prefix}OS`]: os,
    // Windows has one.
    [`${prefix}OSVERSION`]: '',
    [`${prefix}ARCH`]: architecture,
    [`${prefix}VARIANT`]: variant ?? '',
  }
}
