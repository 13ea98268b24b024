import { mkdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { build, type Unpack } from '@engine/build'
import { mountsBelow } from '@engine/image'
import { makePrivate, mountPrivately } from '@engine/linux/mount'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from '@engine/linux/unmount'
import type { BuildOptions, Builds, Images, Progress } from '../interface.ts'
import type { BuildEngine } from './build-engine.ts'
import { EngineExecutor } from './executor.ts'
import { listCache } from './list-cache.ts'
import { pruneCache, type CacheImages } from './prune-cache.ts'
import { mountImage } from './roots.ts'

/**
 * Builds an image of a context, telling of it in the classic builder's stream. When the client goes away, the step under way is
 * ended and nothing of it is left; the images of finished steps stay, for the cache.
 */
export async function* buildImage(engine: BuildEngine, context: Readable, options: BuildOptions, signal: AbortSignal): AsyncGenerator<Progress, void, undefined> {
  // Whoever reads it is told; until then an error that nobody listens for would end the daemon.
  context.on('error', () => undefined)
  const parent = buildsDirectory(engine.dataRoot)
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const directory = await mkdtemp(join(parent, 'build-'))
  const unpack: Unpack = (file, target, ended, owner) => engine.workers.run({ kind: 'extract', file, directory: target, options: { kind: 'archive', sync: false, limits: engine.limits, owner } }, ended)
  try {
    await using inputs = options.inputs === undefined ? undefined : engine.inputs.take(options.inputs)
    await using executor = new EngineExecutor(engine, options, directory, signal)
    await using kept = options.context === undefined ? undefined : engine.contexts.take(options.context)
    yield* build(context, options, { executor, unpack, directory, signal, inputs, kept })
  } finally {
    engine.built.count++
    context.destroy()
    // Nobody waits for the files to go; what a stop interrupts is removed at the next start.
    engine.workers.run({ kind: 'remove', directory: parent, name: basename(directory) }).catch(() => undefined)
  }
}

/** The verb `build` of images. */
export function buildVerb(engine: BuildEngine): Images['build'] {
  return (context, options, signal) => buildImage(engine, context, options, signal)
}

/** The verbs of builds. */
export function buildVerbs(engine: BuildEngine, images: CacheImages): Builds {
  return {
    addInputs: async (inputs) => ({ Id: engine.inputs.add(inputs) }),
    addDirectory: (id, name, tar, signal) => engine.inputs.addDirectory(id, name, tar, signal),
    prepareContext: (manifest) => engine.contexts.prepare(manifest),
    files: (image) => imageFiles(engine, image),
    cache: () => listCache(engine, images),
    prune: (options) => pruneCache(engine, images, options),
  }
}

/** The tar of an image's files; the image is kept until it is disposed. */
async function imageFiles({ images, overlay, workers }: BuildEngine, reference: string): Promise<{ readonly tar: AsyncIterable<Buffer> } & AsyncDisposable> {
  const image = images.get(reference) ?? images.find(reference, '')
  const held = images.hold(image.id)
  const mounted = await mountImage(overlay, image)
  return {
    tar: workers.stream({ kind: 'stream', directory: mounted.path, archive: 'archive' }),
    async [Symbol.asyncDispose]() {
      await mounted[Symbol.asyncDispose]()
      held[Symbol.dispose]()
    },
  }
}

/**
 * Removes what builds that a crash ended have left: mounts, contexts, and what the cache knows of images that are gone. At the start,
 * before anything is built. Directories under overlay2/ that they left have no row in the database and go with such.
 */
export async function cleanBuilds({ dataRoot, cache, cacheMounts, contexts, unsynced }: Pick<BuildEngine, 'dataRoot' | 'cache' | 'cacheMounts' | 'contexts' | 'unsynced'>): Promise<void> {
  await unsynced.check()
  cache.prune()
  const parent = buildsDirectory(dataRoot)
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  // First the mounts: removing what is mounted would remove caches and layers.
  const mounts = mountsBelow(parent)
  for (const { mountPoint } of mounts.toReversed()) if (mountPoint !== parent) unmount(mountPoint, MNT_DETACH | UMOUNT_NOFOLLOW)
  // Private, so that what steps mount spreads into no other namespace.
  if (mounts.some(({ mountPoint }) => mountPoint === parent)) makePrivate(parent)
  else mountPrivately(parent)
  const names = await readdir(parent)
  await Promise.all(names.map((name) => rm(join(parent, name), { recursive: true, force: true })))
  await cacheMounts.clean()
  await contexts.clean()
}

/** Where builds have their files while they run. */
export function buildsDirectory(dataRoot: string): string {
  return join(dataRoot, 'builds')
}

/** Where cache mounts lie. */
export function cacheMountsDirectory(dataRoot: string): string {
  return join(dataRoot, 'build-cache')
}

/** Where contexts are kept from build to build. */
export function contextsDirectory(dataRoot: string): string {
  return join(dataRoot, 'build-contexts')
}
