import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { build, type Unpack } from '@engine/build'
import type { BuildOptions, Progress } from '../interface.ts'
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
    await rm(directory, { recursive: true, force: true })
  }
}

/** Removes what builds that a crash ended have left of their contexts. At the start, before anything is built. */
export async function cleanBuilds(dataRoot: string): Promise<void> {
  const parent = buildsDirectory(dataRoot)
  const names = await readdir(parent).catch(() => [])
  await Promise.all(names.map((name) => rm(join(parent, name), { recursive: true, force: true })))
}

function buildsDirectory(dataRoot: string): string {
  return join(dataRoot, 'builds')
}
