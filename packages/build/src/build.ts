import { availableParallelism } from 'node:os'
import type { Readable } from 'node:stream'
import { parseReference } from '@engine/image'
import { EngineError } from '@engine/linux'
import { openRoot } from '@engine/linux/paths'
import { Semaphore } from '@engine/linux/semaphore'
import { builderArgs } from './builder-args.ts'
import type { Unpack } from './context/build-context.ts'
import { openContext, openRemote, type ContextTools, type KeptContext } from './context/open-context.ts'
import type { Stages } from './dockerfile/instruction-types.ts'
import { understand } from './dockerfile/understand.ts'
import type { Executor } from './executor.ts'
import { BuildOutput, shortId, type BuildLine, type OutputKind } from './output.ts'
import { asksForChecks, check } from './check/report.ts'
import { solve, type SolveOptions } from './solve.ts'
import type { Build, BuildInputs, NamedContext } from './steps/step.ts'
import { streamOf } from './stream.ts'

/** What a client asks for, `POST /build`. */
export interface BuildRequest extends SolveOptions {
  /** Names for the image. */
  readonly tags: readonly string[]
  /** The Dockerfile's path in the context. */
  readonly dockerfile: string
  /** Where to get the context from instead of the request. */
  readonly remote?: string | undefined
  readonly platform: string
  readonly noCache: boolean
  /** Tell nothing but the image's id. */
  readonly quiet: boolean
  readonly remove: boolean
  readonly forceRemove: boolean
  /** Names that FROM and `--from` may use: `docker-image://x`, `https://…`, a git address, or `input:` for a directory that the client sent. */
  readonly contexts?: Readonly<Record<string, string>> | undefined
  /** `network.host`, `security.insecure` */
  readonly entitlements?: readonly string[] | undefined
  readonly progress?: OutputKind | undefined
  /** Say of each step that is made why it was not in the cache. */
  readonly why?: boolean | undefined
  /** Fail at the first step that is not in the cache. */
  readonly expectCached?: boolean | undefined
  /** Check the Dockerfile and build nothing. */
  readonly check?: boolean | undefined
  /** Seconds since the epoch: no time in the image is later. */
  readonly epoch?: number | undefined
  /** Where what was made goes for others to use; the executor reads it. */
  readonly cacheTo?: readonly string[] | undefined
  /** Make one layer of all those that the target has above what it begins from. */
  readonly squash?: boolean | undefined
  /** Build twice, and fail when the images differ. */
  readonly verify?: boolean | undefined
}

/** What only the client has and sends besides its context. */
export interface ClientInputs extends BuildInputs {
  /** Directories of named contexts, by name. */
  readonly directories: ReadonlyMap<string, string>
}

/** What a build works with. */
export interface BuildTools {
  readonly executor: Executor
  readonly unpack: Unpack
  /** An empty directory that is this build's alone; the caller removes it. */
  readonly directory: string
  readonly inputs?: ClientInputs | undefined
  /** A context of an earlier build, of which the client's tar has what is new. */
  readonly kept?: KeptContext | undefined
  /** Ends the build: what runs is killed, what was begun is taken back. */
  readonly signal: AbortSignal
}

const noInputs: ClientInputs = { secrets: new Map(), agents: new Map(), directories: new Map() }

/** How many steps of a build are made at once. */
const maxSteps = Math.max(2, availableParallelism())

/**
 * Builds an image, telling of it in the classic builder's stream, or by records for engine's own command.
 * What fails before the first line is thrown, as Docker answers it with a status; later failures are a last line `errorDetail`.
 * @param tar the context's archive
 */
export function build(tar: Readable, request: BuildRequest, tools: BuildTools): AsyncGenerator<BuildLine, void, undefined> {
  return streamOf(request.quiet, tools.signal, async (write, signal) => {
    for (const tag of request.tags) {
      if (parseReference(tag).digest !== undefined) throw new EngineError('invalid-argument', 'build tag cannot contain a digest')
    }
    const output = new BuildOutput(write, request.progress)
    const inputs = tools.inputs ?? noInputs
    await using open = new AsyncDisposableStack()
    const { keepGitDir, hostname, cacheNamespace } = builderArgs(request.buildArgs)
    const contextTools = { unpack: tools.unpack, directory: tools.directory, output, signal, keepGitDir }
    const context = open.use(await openContext(tar, request.remote ?? '', contextTools, tools.kept))
    const contexts = await openNamed(request.contexts ?? {}, inputs.directories, contextTools, open)
    const ignore = context.readIgnored()
    const text = context.readDockerfile(request.dockerfile)
    if (request.check === true || asksForChecks(text, request)) await check(text, request, ignore, tools.executor, output)
    if (request.check === true) return ''
    const file = understand(text)
    const common: Build = {
      executor: tools.executor,
      unpack: tools.unpack,
      scratch: tools.directory,
      output,
      signal,
      context,
      contexts,
      inputs,
      entitlements: new Set(request.entitlements),
      escape: file.escape,
      platform: request.platform,
      useCache: !request.noCache,
      tellWhy: request.why === true || request.expectCached === true,
      expectCached: request.expectCached === true,
      made: new Map(),
      gate: new Semaphore(maxSteps),
      remove: request.forceRemove ? 'always' : request.remove ? 'success' : 'never',
      epoch: request.epoch,
      hostname: hostname ?? 'buildkitsandbox',
      hostnameCounts: hostname !== undefined,
      cacheNamespace,
    }
    const built = await solve(file, request, common)
    if (request.verify === true) await verify(file, request, common, built.image)
    const whole = request.squash === true ? await tools.executor.squash(built.image, built.base) : built.image
    const image = (request.cacheTo ?? []).length === 0 ? whole : await exportCache(whole, tools, output)
    if (image !== built.image) await output.image(image)
    await output.begin('exporting to image')
    await output.detail(`writing image ${image}\n`)
    await output.stdout(`Successfully built ${shortId(image)}\n`)
    const names = new Set<string>()
    for (const tag of request.tags) names.add(await tools.executor.tag(image, tag))
    for (const name of names) {
      await output.detail(`naming to ${name}\n`)
      await output.stdout(`Successfully tagged ${name}\n`)
    }
    await output.end()
    return image
  })
}

async function exportCache(image: string, { executor }: BuildTools, output: BuildOutput): Promise<string> {
  await output.begin('exporting cache')
  const named = await executor.exportCache(image, (line) => output.write(line))
  await output.end()
  return named
}

/** Builds once more without the cache, with another host name and one step at a time. @throws EngineError conflict that names the first difference */
async function verify(file: Stages, request: BuildRequest, first: Build, image: string): Promise<void> {
  const { image: again } = await solve(file, request, { ...first, useCache: false, tellWhy: false, expectCached: false, made: new Map(), gate: new Semaphore(1), hostname: first.hostnameCounts ? first.hostname : 'verifying' })
  const difference = await first.executor.firstDifference(image, again)
  if (difference !== undefined) throw new EngineError('conflict', `the build is not reproducible: ${difference.path} differs, which was made by: ${difference.step}`)
  await first.output.stdout('Verified: a second build gave the same files and configuration\n')
}

/** Opens what names of the client's stand for; what must be closed goes onto `open`. @throws EngineError invalid-argument */
async function openNamed(
  given: Readonly<Record<string, string>>,
  directories: ReadonlyMap<string, string>,
  tools: ContextTools,
  open: AsyncDisposableStack,
): Promise<Map<string, NamedContext>> {
  const contexts = new Map<string, NamedContext>()
  for (const [index, [name, value]] of Object.entries(given).entries()) {
    const image = /^docker-image:\/\/(.+)$/.exec(value)?.[1]
    if (image !== undefined) {
      contexts.set(name, { kind: 'image', reference: image })
    } else if (value === 'input:') {
      const directory = directories.get(name)
      if (directory === undefined) throw new EngineError('invalid-argument', `the files of build context ${name} were not sent`)
      contexts.set(name, { kind: 'directory', fd: open.use(openRoot(directory)).fd })
    } else {
      contexts.set(name, { kind: 'directory', fd: open.use(await openRemote(value, `named-${index}`, tools)).fd })
    }
  }
  return contexts
}
