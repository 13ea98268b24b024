import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { build, type Unpack } from '@engine/build'
import type { BuildOptions, Images, Progress } from '../interface.ts'
import type { BuildEngine } from './build-engine.ts'
import { EngineExecutor } from './executor.ts'

/**
 * Builds an image of a context, telling of it in the classic builder's stream. When the client goes away, the step under way is
 * ended and nothing of it is left; the images of finished steps stay, for the cache.
 */
export async function* buildImage(engine: BuildEngine, context: Readable, options: BuildOptions, signal: AbortSignal): AsyncGenerator<Progress, void, undefined> {
  const parent = buildsDirectory(engine.dataRoot)
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const directory = await mkdtemp(join(parent, 'build-'))
  const unpack: Unpack = (file, target, ended) => engine.workers.run({ kind: 'extract', file, directory: target, options: { kind: 'archive', sync: false } }, ended)
  try {
    using executor = new EngineExecutor(engine, options, directory)
    yield* build(context, options, { executor, unpack, directory, signal })
  } finally {
    context.destroy()
    // Nobody waits for the files to go; what a stop interrupts is removed at the next start.
    engine.workers.run({ kind: 'remove', directory: parent, name: basename(directory) }).catch(() => undefined)
  }
}

/** The verb `build` of images. */
export function buildVerb(engine: BuildEngine): Images['build'] {
  return (context, options, signal) => buildImage(engine, context, options, signal)
}

/**
 * Removes what builds that a crash ended have left of their contexts, and what the cache knows of images that are gone. At the start,
 * before anything is built. Directories under overlay2/ that they left have no row in the database and go with such.
 */
export async function cleanBuilds({ dataRoot, cache }: Pick<BuildEngine, 'dataRoot' | 'cache'>): Promise<void> {
  cache.prune()
  const parent = buildsDirectory(dataRoot)
  const names = await readdir(parent).catch(() => [])
  await Promise.all(names.map((name) => rm(join(parent, name), { recursive: true, force: true })))
}

function buildsDirectory(dataRoot: string): string {
  return join(dataRoot, 'builds')
}
