import { cacheKey, type KeyParts } from '../cache.ts'
import type { BuildContext, Unpack } from '../context/build-context.ts'
import { expandWord, expandWords, toVariables, type Variables } from '../dockerfile/expand.ts'
import type { BuildImage, Executor, NewImage } from '../executor.ts'
import type { BuildOutput } from '../output.ts'
import type { StageState } from '../stage-state.ts'

/** What all steps of a build share. */
export interface Build {
  readonly executor: Executor
  readonly output: BuildOutput
  readonly signal: AbortSignal
  /** Undefined when the build has none. */
  readonly context: BuildContext | undefined
  readonly unpack: Unpack
  /** A directory that is the build's alone; it goes when the build ends. */
  readonly scratch: string
  readonly escape: string
  readonly platform: string
  readonly useCache: boolean
  /** Remove a RUN step's container when the step succeeded; `always` also when it failed. */
  readonly remove: 'always' | 'success' | 'never'
}

/** One step: an instruction, about to be carried out on a stage. */
export interface Step {
  readonly build: Build
  readonly state: StageState
  /** Finds the image of `--from`: a stage's, which is built first if need be, or another. */
  readonly imageFrom: (from: string) => Promise<BuildImage>
}

/** Variables that count in a step: the environment, then build arguments that it does not set. */
export function variablesOf({ state }: Step): Variables {
  const environment = toVariables(state.environment)
  return new Map([...toVariables(state.args.environment(environment)), ...environment])
}

/** Expands one word of an instruction. */
export function expand(step: Step, word: string): string {
  return expandWord(word, variablesOf(step), { escape: step.build.escape })
}

/** Expands a word that may become many. */
export function expandMany(step: Step, word: string): string[] {
  return expandWords(word, variablesOf(step), { escape: step.build.escape })
}

/**
 * Takes a step's image from the cache, or makes it and notes it there.
 * @param make makes the image and returns its id
 */
export async function withCache(step: Step, parts: Omit<KeyParts, 'parent'>, make: () => Promise<string>): Promise<void> {
  const { build, state } = step
  const key = cacheKey({ parent: state.image, ...parts })
  const found = build.useCache ? await build.executor.cached(key) : undefined
  if (found !== undefined) {
    await build.output.stdout(' ---> Using cache\n')
    state.image = found
    return
  }
  state.image = await make()
  await build.executor.remember(key, state.image)
}

/** The image that a step makes, told in its history as `createdBy`. */
export function newImage({ state }: Step, createdBy: string): NewImage {
  return { parent: state.image, config: structuredClone(state.config), author: state.author, createdBy }
}

/** How history tells of an instruction that ran no command: Docker makes it a shell's comment. */
export function comment({ state }: Step, text: string): string {
  return `${state.shell.join(' ')} #(nop) ${text}`
}
