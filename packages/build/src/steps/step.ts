import { EngineError } from '@engine/linux'
import type { Semaphore } from '@engine/linux/semaphore'
import { cacheKey, type CacheKey, type KeyParts } from '../cache.ts'
import type { BuildContext, Unpack } from '../context/build-context.ts'
import { expandWord, expandWords, toVariables, type Variables } from '../dockerfile/expand.ts'
import type { BuildImage, Executor, NewImage } from '../executor.ts'
import type { BuildOutput } from '../output.ts'
import type { StageState } from '../stage-state.ts'
import { explainMiss } from '../why.ts'

/** Files that are copied or mounted from. */
export interface FromRoot extends AsyncDisposable {
  /** Descriptor of the root directory. */
  readonly fd: number
  /** The image whose files they are; undefined for a directory of the client's. */
  readonly image: BuildImage | undefined
}

/** What a name means in FROM, `COPY --from` and mounts, before stages and images are looked at. */
export type NamedContext = { readonly kind: 'image'; readonly reference: string } | { readonly kind: 'directory'; readonly fd: number }

/** What only the client has. None of it is stored or told. */
export interface BuildInputs {
  readonly secrets: ReadonlyMap<string, Buffer>
  /** Paths of SSH agents' sockets on the host. */
  readonly agents: ReadonlyMap<string, string>
}

/** What all steps of a build share. */
export interface Build {
  readonly executor: Executor
  readonly output: BuildOutput
  readonly signal: AbortSignal
  readonly contexts: ReadonlyMap<string, NamedContext>
  readonly inputs: BuildInputs
  /** What steps may do besides: `network.host`, `security.insecure`. */
  readonly entitlements: ReadonlySet<string>
  /** Undefined when the build has none. */
  readonly context: BuildContext | undefined
  readonly unpack: Unpack
  /** A directory that is the build's alone; it goes when the build ends. */
  readonly scratch: string
  readonly escape: string
  readonly platform: string
  readonly useCache: boolean
  /** Say of each step that is made why it was not in the cache. */
  readonly tellWhy: boolean
  /** A step that is not in the cache is a failure. */
  readonly expectCached: boolean
  /** Images of this build's steps by their keys' digests, those included that are being made. */
  readonly made: Map<string, Promise<string>>
  /** Bounds how many steps are made at once. */
  readonly gate: Semaphore
  /** Seconds since the epoch that no time of a layer is later than. */
  readonly epoch: number | undefined
  /** What the containers of RUN are called; the same for every build, so that it is no trace of this one. */
  readonly hostname: string
  /** That was asked for: it is a part of what a command is. */
  readonly hostnameCounts: boolean
  /** Goes before the ids of cache mounts; empty is nothing. */
  readonly cacheNamespace: string
  /** Remove a RUN step's container when the step succeeded; `always` also when it failed. */
  readonly remove: 'always' | 'success' | 'never'
}

/** One step: an instruction, about to be carried out on a stage. */
export interface Step {
  readonly build: Build
  readonly state: StageState
  /** Takes what the stage has to say. */
  readonly output: BuildOutput
  /** Opens the files that `--from` names: a stage's, which is built first if need be, an image's, or the client's. */
  readonly openFrom: (from: string) => Promise<FromRoot>
}

/** Variables that count in a step: the environment, and build arguments that it does not set or that were declared later. */
export function variablesOf({ state }: Pick<Step, 'state'>): Variables {
  const environment = toVariables(state.environment)
  return new Map([...environment, ...toVariables(state.args.environment(environment))])
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
 * Takes a step's image from the cache, or makes it and notes it there. A step that another stage of the build has made, or is making,
 * is not made again, cache or not.
 * @param make makes the image and returns its id
 */
export async function withCache(step: Step, parts: Omit<KeyParts, 'parent'>, make: () => Promise<string>): Promise<void> {
  const { build, state } = step
  const settings = build.epoch === undefined ? parts.settings : { ...parts.settings, epoch: String(build.epoch) }
  const key = cacheKey({ parent: state.content, ...parts, ...(settings === undefined ? {} : { settings }) })
  const same = build.made.get(key.digest)
  const found = same === undefined ? (build.useCache ? await build.executor.cached(key) : undefined) : await same
  if (found !== undefined) {
    await step.output.stdout(' ---> Using cache\n')
    await step.output.note({ cached: true })
    return advance(step, found)
  }
  // Told to this build alone, and noted nowhere: what others say they have made is theirs to answer for.
  const imported = build.useCache ? await build.executor.imported(key, newImage(step, parts.instruction), (text) => void step.output.stderr(`${text}\n`)) : undefined
  if (imported !== undefined) {
    build.made.set(key.digest, Promise.resolve(imported))
    await step.output.stdout(' ---> Using cache\n')
    await step.output.note({ cached: true })
    return advance(step, imported)
  }
  if (build.tellWhy) await tellWhy(step, key)
  const making = build.gate.run(async () => {
    const image = await make()
    await build.executor.remember(key, image)
    return image
  })
  build.made.set(key.digest, making)
  return advance(step, await making)
}

async function advance({ build, state }: Step, image: string): Promise<void> {
  state.image = image
  state.content = (await build.executor.image(image)).content
}

/** Says in what a step differs from the nearest one that is in the cache. @throws EngineError when everything was expected to be there */
async function tellWhy(step: Step, key: CacheKey): Promise<void> {
  const { build, output } = step
  const reasons = build.useCache ? explainMiss(key.parts, await build.executor.siblings(key)) : ['the cache is not used (--no-cache)']
  for (const reason of reasons) await output.stdout(` ---> Not cached: ${reason}\n`)
  await output.note({ reasons })
  if (build.expectCached) throw new EngineError('conflict', `not cached: ${reasons.join('; ')}`)
}

/** The image that a step makes, told in its history as `createdBy`. */
export function newImage({ state }: Step, createdBy: string): NewImage {
  return { parent: state.image, config: structuredClone(state.config), author: state.author, createdBy }
}

/** How history tells of an instruction that ran no command: Docker makes it a shell's comment. */
export function comment({ state }: Step, text: string): string {
  return `${state.shell.join(' ')} #(nop) ${text}`
}
