import { EngineError } from '@engine/linux'
import { hostPlatform, parsePlatform, type Platform } from '@engine/image'
import { BuildArgs } from './build-args.ts'
import { expandWord } from './dockerfile/expand.ts'
import type { ArgInstruction, Instruction, Stages } from './dockerfile/instruction-types.ts'
import { parseInstruction } from './dockerfile/instructions.ts'
import { parseDockerfile } from './dockerfile/parse.ts'
import type { BuildImage } from './executor.ts'
import { StageGraph, type StageNode } from './graph.ts'
import { shortId } from './output.ts'
import { StageState } from './stage-state.ts'
import { configure } from './steps/config.ts'
import { copy } from './steps/copy.ts'
import { run } from './steps/run.ts'
import type { Build, Step } from './steps/step.ts'
import { workdir } from './steps/workdir.ts'

export interface SolveOptions {
  /** Name of the stage to build; empty is the last. */
  readonly target: string
  readonly buildArgs: Readonly<Record<string, string | null>>
  /** Labels for the image, besides the Dockerfile's. */
  readonly labels: Readonly<Record<string, string>>
}

/**
 * Carries out a Dockerfile, step by step, as Docker's classic builder does: every step makes an image.
 * Stages that the target does not need are left out.
 * @returns id of the target's image
 * @throws EngineError with Docker's texts; BuildFailure when a command failed
 */
export async function solve(file: Stages, options: SolveOptions, build: Build): Promise<string> {
  return new Solver(file, options, build).solve()
}

class Solver {
  readonly #file: Stages
  readonly #options: SolveOptions
  readonly #build: Build
  readonly #args: BuildArgs
  readonly #images = new Map<StageNode, string>()
  readonly #graph: StageGraph
  #step = 0
  #total = 0

  constructor(file: Stages, options: SolveOptions, build: Build) {
    this.#file = file
    this.#options = options
    this.#build = build
    this.#args = new BuildArgs(options.buildArgs, platformArgs(build.platform))
    for (const arg of file.globalArgs) this.#declareGlobal(arg)
    this.#graph = new StageGraph(file, this.#args.globals())
  }

  async solve(): Promise<string> {
    const { output } = this.#build
    const target = this.#graph.target(this.#options.target)
    for (const warning of this.#file.warnings) await output.stderr(`[WARNING]: ${warning}\n`)
    if (this.#file.warnings.length > 0) await output.stderr('[WARNING]: Empty continuation lines will become errors in a future release.\n')
    const needed = this.#graph.needed(target)
    this.#total = this.#file.globalArgs.length + needed.reduce((sum, node) => sum + 1 + this.#instructionsOf(node, target).length, 0)
    for (const arg of this.#file.globalArgs) await this.#announce(arg.code)
    for (const node of needed) await this.#stage(node, target)
    const unused = this.#args.unused(this.#options.buildArgs)
    if (unused.length > 0) await output.stdout(`[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n`)
    const image = this.#images.get(target)
    if (image === undefined || image === '') throw new EngineError('invalid-argument', 'No image was generated. Is your Dockerfile empty?')
    return image
  }

  #declareGlobal({ args }: ArgInstruction): void {
    const expand = (word: string): string => expandWord(word, this.#args.declared(), { escape: this.#file.escape })
    for (const { key, value } of args) this.#args.declareGlobal(expand(key), value === undefined ? undefined : expand(value))
  }

  async #announce(code: string): Promise<void> {
    this.#build.signal.throwIfAborted()
    await this.#build.output.line(`Step ${++this.#step}/${this.#total} : ${code}`)
  }

  /** A stage's instructions; the target gets the labels of the build besides. */
  #instructionsOf(node: StageNode, target: StageNode): readonly Instruction[] {
    if (node !== target) return node.stage.instructions
    const labels = Object.entries(this.#options.labels).toSorted(([a], [b]) => (a < b ? -1 : 1))
    const added = labels.map(([key, value]): Instruction => ({ kind: 'label', code: `LABEL ${key}=${value}`, line: 0, pairs: [{ key, value }], expand: false }))
    return [...node.stage.instructions, ...added]
  }

  /** Builds a stage, once. */
  async #stage(node: StageNode, target: StageNode): Promise<string> {
    const built = this.#images.get(node)
    if (built !== undefined) return built
    const { output } = this.#build
    await this.#announce(node.stage.code)
    const state = new StageState(await this.#base(node, target), this.#args.forStage())
    const step: Step = { build: this.#build, state, imageFrom: (from) => this.#imageFrom(from, node, target) }
    await this.#triggers(step)
    await output.stdout(` ---> ${shortId(state.image)}\n`)
    for (const instruction of this.#instructionsOf(node, target)) {
      await this.#announce(instruction.code)
      await dispatch(step, instruction)
      await output.stdout(` ---> ${shortId(state.image)}\n`)
    }
    this.#images.set(node, state.image)
    if (state.image !== '') await output.image(state.image)
    return state.image
  }

  async #base(node: StageNode, target: StageNode): Promise<BuildImage> {
    if (node.stage.platform !== '') {
      const platform = expandWord(node.stage.platform, this.#args.globals(), { escape: this.#file.escape })
      parsePlatform(platform)
      if (node.baseStage === undefined && node.base !== 'scratch') return this.#build.executor.resolve(node.base, platform)
    }
    const stage = node.baseStage === undefined ? undefined : this.#graph.nodes[node.baseStage]
    if (stage !== undefined) return this.#imageOf(stage, target)
    if (node.base === 'scratch') return scratch
    return this.#build.executor.resolve(node.base, this.#build.platform)
  }

  async #imageFrom(from: string, node: StageNode, target: StageNode): Promise<BuildImage> {
    const stage = this.#graph.find(from, node.index)
    return stage === undefined ? this.#build.executor.resolve(from, this.#build.platform) : this.#imageOf(stage, target)
  }

  async #imageOf(node: StageNode, target: StageNode): Promise<BuildImage> {
    const image = await this.#stage(node, target)
    return image === '' ? scratch : this.#build.executor.image(image)
  }

  /** Carries out the instructions that the base image has for those who build on it. */
  async #triggers(step: Step): Promise<void> {
    const triggers = step.state.config.OnBuild ?? []
    delete step.state.config.OnBuild
    if (triggers.length === 0) return
    const { output } = this.#build
    await output.line(`# Executing ${triggers.length} build trigger${triggers.length > 1 ? 's' : ''}`)
    for (const trigger of triggers) {
      const { nodes } = parseDockerfile(trigger)
      const [node, ...more] = nodes
      if (node === undefined || more.length > 0) throw new EngineError('invalid-argument', 'onbuild trigger should be a single expression')
      await dispatch(step, parseInstruction(node))
    }
  }
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

const scratch: BuildImage = { id: '', config: {}, author: '' }

/** The arguments about platforms that every build has; a stage sees them after `ARG NAME`. */
function platformArgs(target: string): Record<string, string> {
  const build = hostPlatform()
  const wanted = target === '' ? build : parsePlatform(target)
  return { ...describe('BUILD', build), ...describe('TARGET', wanted) }
}

function describe(prefix: string, { os, architecture, variant }: Platform): Record<string, string> {
  return {
    [`${prefix}PLATFORM`]: [os, architecture, variant].filter((part) => part !== undefined).join('/'),
    [`${prefix}OS`]: os,
    [`${prefix}ARCH`]: architecture,
    [`${prefix}VARIANT`]: variant ?? '',
  }
}
