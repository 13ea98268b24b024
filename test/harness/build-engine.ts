import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { defaultLimits, digestHex, writeImageConfig, type Image } from '@engine/image'
import { EngineError } from '@engine/linux'
import { Intents } from '../../packages/engine/src/state/intents.ts'
import { migrations } from '../../packages/engine/src/state/migrations/index.ts'
import { openDatabase } from '../../packages/engine/src/state/database.ts'
import { BuildCacheTable } from '../../packages/engine/src/builds/build-cache-table.ts'
import { CacheSources } from '../../packages/engine/src/builds/shared-cache/import.ts'
import { ContextStore } from '../../packages/engine/src/builds/contexts.ts'
import { InputStore } from '../../packages/engine/src/builds/inputs.ts'
import { CacheMounts } from '../../packages/engine/src/builds/mounts/cache-mounts.ts'
import { CacheMountsTable } from '../../packages/engine/src/builds/mounts/cache-mounts-table.ts'
import { buildImage } from '../../packages/engine/src/builds/build.ts'
import type { BuildEngine, BuildImages, StoredImage } from '../../packages/engine/src/builds/build-engine.ts'
import type { BuildOptions, Progress } from '../../packages/engine/src/interface.ts'
import type { HostConfig } from '../../packages/engine/src/types/container-config.ts'
import { tarOf } from './build.ts'
import { imageStores, type ImageStores } from './image-stores.ts'

/** Images in memory, layers on the disk. */
class MemoryImages implements BuildImages {
  readonly stored = new Map<string, StoredImage>()
  readonly names = new Map<string, string>()
  readonly held = new Set<string>()

  find(reference: string): StoredImage {
    return this.stored.get(this.names.get(reference) ?? '') as StoredImage
  }

  get(id: string): StoredImage | undefined {
    return this.stored.get(id)
  }

  async add(image: Image, parent: string, layer: { readonly id: string } | undefined): Promise<void> {
    const below = this.stored.get(parent)?.layers ?? []
    this.stored.set(image.id, { id: image.id, config: image.config, layers: layer === undefined ? below : [layer.id, ...below] })
  }

  used(id: string): void {
    assert.ok(this.stored.has(id))
  }

  async tag(id: string, reference: string): Promise<string> {
    this.names.set(reference, id)
    return `${reference}:latest`
  }

  hold(id: string): Disposable {
    this.held.add(id)
    return { [Symbol.dispose]: () => void this.held.delete(id) }
  }
}

type Program = (root: string, host: HostConfig) => Promise<number> | number

/** Containers whose process is a function that works on the mounted files. */
class FunctionContainers {
  readonly #stores: ImageStores
  readonly #images: MemoryImages
  readonly #hosts = new Map<string, HostConfig>()
  readonly #killed = new Map<string, () => void>()
  program: Program = () => 0

  constructor(stores: ImageStores, images: MemoryImages) {
    this.#stores = stores
    this.#images = images
  }

  get count(): number {
    return this.#hosts.size
  }

  create: BuildEngine['containers']['create'] = async ({ id = randomBytes(32).toString('hex'), config, hostConfig }) => {
    this.#stores.snapshots.prepare(id, this.#images.get(config.Image as string)?.layers ?? [])
    this.#hosts.set(id, hostConfig)
    return { Id: id, Warnings: [] }
  }

  attach: BuildEngine['containers']['attach'] = async (id) => ({ tty: false, output: this.#run(id), detach: () => undefined })

  start: BuildEngine['containers']['start'] = async () => undefined

  readonly #status = new Map<string, PromiseWithResolvers<number>>()

  wait: BuildEngine['containers']['wait'] = async (id) => {
    const status = Promise.withResolvers<number>()
    this.#status.set(id, status)
    return { result: status.promise.then((StatusCode) => ({ StatusCode })) }
  }

  kill: BuildEngine['containers']['kill'] = async (id) => this.#killed.get(id)?.()

  remove: BuildEngine['containers']['remove'] = async (id) => {
    this.#hosts.delete(id)
    await this.#stores.snapshots.remove(id)
  }

  async *#run(id: string): AsyncGenerator<{ stream: 'stdout'; data: Buffer }> {
    yield { stream: 'stdout', data: Buffer.from('started\n') }
    const root = await this.#stores.snapshots.mount(id)
    const killed = new Promise<number>((resolve) => this.#killed.set(id, () => resolve(137)))
    this.#status.get(id)?.resolve(await Promise.race([Promise.resolve(this.program(root, this.#hosts.get(id) as HostConfig)), killed]))
  }
}

/** The engine of builds, with images in memory and processes that are functions. */
export interface BuildFixture {
  readonly stores: ImageStores
  readonly images: MemoryImages
  readonly containers: FunctionContainers
  readonly engine: BuildEngine
  run(files: Readonly<Record<string, string>>, options?: Partial<BuildOptions>, signal?: AbortSignal): Promise<{ lines: Progress[]; image: StoredImage }>
  /** Ids of directories under overlay2/ that are no layer of an image. */
  leftovers(): Promise<string[]>
}

/** What a client asks for that asks for nothing special. */
export const defaultBuildOptions: BuildOptions = {
  tags: [], dockerfile: 'Dockerfile', buildArgs: {}, labels: {}, noCache: false, quiet: false, remove: true, forceRemove: false, target: '', platform: '',
  networkMode: '', extraHosts: [], cacheFrom: [],
}

/** Makes one, with an image `base`, and takes it away after the test. */
export async function buildFixture(t: TestContext): Promise<BuildFixture> {
  const stores = await imageStores(t)
  const db = openDatabase(join(stores.directory, 'engine.db'), migrations)
  t.after(() => db.close())
  const images = new MemoryImages()
  const blob = await stores.content.ingest([tarOf({ 'etc/old': 'old', 'bin/sh': 'shell' })])
  const layer = await stores.snapshots.createLayer({ file: stores.content.path(blob.digest) }, [], digestHex)
  const base = writeImageConfig({ architecture: 'amd64', os: 'linux', config: { Env: ['PATH=/bin'] }, rootfs: { type: 'layers', diff_ids: [layer.diffId] }, history: [{ created_by: 'base' }] })
  await images.add(base, '', layer)
  images.names.set('base', base.id)
  const containers = new FunctionContainers(stores, images)
  const engine: BuildEngine = {
    dataRoot: stores.directory, containers, images, overlay: stores.snapshots, remap: undefined, workers: stores.workers, cache: new BuildCacheTable(db), intents: new Intents(db),
    cacheMounts: new CacheMounts(join(stores.directory, 'build-cache'), new CacheMountsTable(db), stores.workers, undefined), inputs: new InputStore(join(stores.directory, 'builds'), stores.workers, defaultLimits), contexts: new ContextStore(join(stores.directory, 'build-contexts'), stores.workers),
    limits: defaultLimits, built: { count: 0 }, sharedCache: { open: () => new CacheSources([], {} as ConstructorParameters<typeof CacheSources>[1]), push: () => Readable.from([]) }, unsynced: { note: () => undefined, check: async () => undefined }, pull: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new EngineError('not-found', 'no registry')) }) }),
    lookUp: () => Promise.reject(new EngineError('not-found', 'no registry')),
  }
  return {
    stores, images, containers, engine,
    async run(files, options = {}, signal = new AbortController().signal) {
      const lines: Progress[] = []
      for await (const line of buildImage(engine, Readable.from([tarOf(files)]), { ...defaultBuildOptions, ...options }, signal)) lines.push(line)
      const failure = lines.at(-1)?.['error']
      if (typeof failure === 'string') throw new Error(failure)
      const aux = lines.findLast((line) => 'aux' in line)?.['aux'] as { ID: string } | undefined
      return { lines, image: images.get(aux?.ID ?? '') as StoredImage }
    },
    async leftovers() {
      await stores.snapshots.settled()
      const known = new Set([...images.stored.values()].flatMap((image) => image.layers))
      const { layers, others } = await stores.snapshots.list()
      return [...layers, ...others].filter((id) => !known.has(id))
    },
  }
}
