import type { Readable } from 'node:stream'
import { parseReference } from '@engine/image'
import { EngineError } from '@engine/linux'
import { BuildContext, type Unpack } from './context/build-context.ts'
import { parseInstructions } from './dockerfile/instructions.ts'
import type { Stages } from './dockerfile/instruction-types.ts'
import { parseDockerfile } from './dockerfile/parse.ts'
import type { Executor } from './executor.ts'
import { BuildOutput, shortId, type BuildLine } from './output.ts'
import { solve, type SolveOptions } from './solve.ts'
import { streamOf } from './stream.ts'

/** What a client asks for, `POST /build`. */
export interface BuildRequest extends SolveOptions {
  /** Names for the image. */
  readonly tags: readonly string[]
  /** The Dockerfile's path in the context. */
  readonly dockerfile: string
  /** Where to get the context from instead of the request; not yet. */
  readonly remote?: string | undefined
  readonly platform: string
  readonly noCache: boolean
  /** Tell nothing but the image's id. */
  readonly quiet: boolean
  readonly remove: boolean
  readonly forceRemove: boolean
}

/** What a build works with. */
export interface BuildTools {
  readonly executor: Executor
  readonly unpack: Unpack
  /** An empty directory that is this build's alone; the caller removes it. */
  readonly directory: string
  /** Ends the build: what runs is killed, what was begun is taken back. */
  readonly signal: AbortSignal
}

/**
 * Builds an image, telling of it in the classic builder's stream.
 * What fails before the first line is thrown, as Docker answers it with a status; later failures are a last line `errorDetail`.
 * @param tar the context's archive
 */
export function build(tar: Readable, request: BuildRequest, tools: BuildTools): AsyncGenerator<BuildLine, void, undefined> {
  return streamOf(request.quiet, tools.signal, async (write, signal) => {
    refuseRemote(request.remote)
    for (const tag of request.tags) {
      if (parseReference(tag).digest !== undefined) throw new EngineError('invalid-argument', 'build tag cannot contain a digest')
    }
    using context = await BuildContext.receive(tar, tools.directory, tools.unpack, signal)
    const file = understand(context.readDockerfile(request.dockerfile))
    const output = new BuildOutput(write)
    const image = await solve(file, request, {
      executor: tools.executor,
      unpack: tools.unpack,
      scratch: tools.directory,
      output,
      signal,
      context,
      escape: file.escape,
      platform: request.platform,
      useCache: !request.noCache,
      remove: request.forceRemove ? 'always' : request.remove ? 'success' : 'never',
    })
    await output.stdout(`Successfully built ${shortId(image)}\n`)
    const names = new Set<string>()
    for (const tag of request.tags) names.add(await tools.executor.tag(image, tag))
    for (const name of names) await output.stdout(`Successfully tagged ${name}\n`)
    return image
  })
}

/** Reads a Dockerfile. @throws EngineError invalid-argument with Docker's texts */
export function understand(text: string): Stages {
  let parsed
  try {
    parsed = parseDockerfile(text)
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError('invalid-argument', `failed to parse Dockerfile: ${error.message}`)
    throw error
  }
  return parseInstructions(parsed)
}

function refuseRemote(remote: string | undefined): void {
  if (remote === undefined || remote === '') return
  if (!/^(?:https?:\/\/|git:\/\/|git@|ssh:\/\/|github\.com\/)/.test(remote)) {
    throw new EngineError('invalid-argument', `remoteURL (${remote}) could not be recognized as URL`)
  }
  throw new EngineError('not-implemented', 'remote build contexts are not supported: send the context with the request', {
    hint: 'clone the repository or download the archive, and build the directory',
  })
}
