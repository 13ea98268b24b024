import { EngineError } from '@engine/linux'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { defaultLimits, digestHex, endOfArchive, newEntry, padding, writeEntry, writeImageConfig, type Image } from '@engine/image'
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
import { imageStores, type ImageStores } from '../harness/image-stores.ts'

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

interface Fixture {
  readonly stores: ImageStores
  readonly images: MemoryImages
  readonly containers: FunctionContainers
  readonly engine: BuildEngine
  run(files: Readonly<Record<string, string>>, options?: Partial<BuildOptions>, signal?: AbortSignal): Promise<{ lines: Progress[]; image: StoredImage }>
  /** Ids of directories under overlay2/ that are no layer of an image. */
  leftovers(): Promise<string[]>
}

const defaults: BuildOptions = {
  tags: [], dockerfile: 'Dockerfile', buildArgs: {}, labels: {}, noCache: false, quiet: false, remove: true, forceRemove: false, target: '', platform: '',
  networkMode: '', extraHosts: [], cacheFrom: [],
}

function tarOf(files: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(files).flatMap(([path, content]) => [writeEntry(newEntry('file', path, { size: Buffer.byteLength(content) })), Buffer.from(content), padding(Buffer.byteLength(content))])
  return Buffer.concat([...parts, endOfArchive])
}

async function fixture(t: TestContext): Promise<Fixture> {
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
  }
  return {
    stores, images, containers, engine,
    async run(files, options = {}, signal = new AbortController().signal) {
      const lines: Progress[] = []
      for await (const line of buildImage(engine, Readable.from([tarOf(files)]), { ...defaults, ...options }, signal)) lines.push(line)
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

/** Contexts of builds are removed behind the client's back. */
async function contextsGone({ directory }: ImageStores): Promise<void> {
  for (let i = 0; i < 100 && readdirSync(join(directory, 'builds')).length > 0; i++) await sleep(20)
  assert.deepEqual(readdirSync(join(directory, 'builds')), [])
}

const mounts = (stores: ImageStores): string[] => readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(`${stores.directory}/overlay2/`))

test('steps become layers, and steps that change no file do not', async (t) => {
  const { stores, containers, run, leftovers } = await fixture(t)
  containers.program = (root) => {
    rmSync(join(root, 'etc/old'))
    writeFileSync(join(root, 'made'), 'made')
    return 0
  }
  const { image } = await run({ Dockerfile: 'FROM base\nENV a=b\nWORKDIR /w\nCOPY f ./\nWORKDIR /etc\nRUN change\nUSER x', f: 'f' })
  assert.equal(image.layers.length, 4)
  assert.equal(image.config.rootfs.diff_ids.length, 4)
  assert.deepEqual(image.config.history?.map(({ empty_layer: empty }) => empty ?? false), [false, true, false, false, true, false, true])
  const files = (index: number): string => stores.snapshots.layout(image.layers[index] as string).diff
  assert.deepEqual(readdirSync(files(0)).sort(), ['etc', 'made'])
  assert.ok(lstatSync(join(files(0), 'etc/old')).isCharacterDevice(), 'a whiteout')
  assert.equal(readFileSync(join(files(1), 'w/f'), 'utf8'), 'f')
  assert.deepEqual(readdirSync(files(2)), ['w'])
  for (const [index, id] of image.layers.entries()) {
    const archived = await stores.snapshots.archive(id)
    if (index < 3) assert.equal(archived.diffId, image.config.rootfs.diff_ids[3 - index])
  }
  assert.deepEqual(await leftovers(), [])
  assert.deepEqual(mounts(stores), [])
  await contextsGone(stores)
  assert.equal(containers.count, 0)
})

test('the cache outlives the build, and forgets images that are gone', async (t) => {
  const { images, containers, run } = await fixture(t)
  let runs = 0
  containers.program = (root) => {
    writeFileSync(join(root, 'r'), String(++runs))
    return 0
  }
  const files = { Dockerfile: 'FROM base\nCOPY f /f\nRUN r', f: 'f' }
  const first = await run(files)
  assert.equal((await run(files)).image.id, first.image.id)
  assert.equal(runs, 1)
  images.stored.delete(first.image.id)
  const again = await run(files)
  assert.notEqual(again.image.id, first.image.id)
  assert.equal(runs, 2)
  assert.notEqual((await run(files, { noCache: true })).image.id, again.image.id)
  assert.equal(images.held.size, 0)
})

test('images of several layers are read as one, for COPY --from', async (t) => {
  const { containers, run, stores, leftovers } = await fixture(t)
  containers.program = (root) => {
    rmSync(join(root, 'd/gone'))
    return 0
  }
  const { image } = await run({
    Dockerfile: 'FROM base AS one\nCOPY . /d\nRUN rm\nFROM scratch\nCOPY --from=one /d/kept /etc/old /out/\nCOPY --from=base bin/sh /sh', kept: 'kept', gone: 'gone',
  })
  assert.equal(image.layers.length, 2)
  assert.deepEqual(readdirSync(join(stores.snapshots.layout(image.layers[1] as string).diff, 'out')), ['kept', 'old'])
  await assert.rejects(run({ Dockerfile: 'FROM base AS one\nCOPY . /d\nRUN rm\nFROM scratch\nCOPY --from=one /d/gone /', kept: 'kept', gone: 'gone' }), { message: 'COPY failed: stat d/gone: file does not exist' })
  assert.deepEqual(await leftovers(), [])
  assert.deepEqual(mounts(stores), [])
})

test('a failed step leaves its container, unless it is to be removed', async (t) => {
  const { containers, run, leftovers } = await fixture(t)
  containers.program = () => 3
  const files = { Dockerfile: 'FROM base\nRUN fail' }
  await assert.rejects(run(files, { forceRemove: true }), { message: "The command '/bin/sh -c fail' returned a non-zero code: 3" })
  assert.equal(containers.count, 0)
  assert.deepEqual(await leftovers(), [])
  await assert.rejects(run(files), { message: "The command '/bin/sh -c fail' returned a non-zero code: 3" })
  assert.equal(containers.count, 1)
})

test('containers are kept when they are not to be removed', async (t) => {
  const { containers, run } = await fixture(t)
  containers.program = (root) => {
    writeFileSync(join(root, 'r'), 'r')
    return 0
  }
  const { image } = await run({ Dockerfile: 'FROM base\nRUN r' }, { remove: false })
  assert.equal(containers.count, 1)
  assert.equal(image.layers.length, 2)
})

test('a script of the Dockerfile is bound into its container, and its resources are the build’s', async (t) => {
  const { containers, run } = await fixture(t)
  let script = ''
  let host: HostConfig = {}
  containers.program = (_, given) => {
    host = given
    const [mount] = given.Mounts ?? []
    assert.deepEqual([mount?.Type, mount?.Target, mount?.ReadOnly], ['bind', '/dev/pipes', true])
    script = readFileSync(join(mount?.Source ?? '', 'EOF'), 'utf8')
    assert.equal(lstatSync(join(mount?.Source ?? '', 'EOF')).mode & 0o777, 0o755)
    return 0
  }
  await run({ Dockerfile: 'FROM base\nRUN <<EOF\n#!/bin/awk -f\nBEGIN\nEOF' }, { memory: 1 << 26, networkMode: 'none', extraHosts: ['a:1.2.3.4'], shmSize: 4096 })
  assert.equal(script, '#!/bin/awk -f\nBEGIN\n')
  assert.deepEqual([host.Memory, host.NetworkMode, host.ExtraHosts, host.ShmSize, host.LogConfig?.Type], [1 << 26, 'none', ['a:1.2.3.4'], 4096, 'none'])
})

test('a client that goes away ends the step and leaves nothing', async (t) => {
  const { stores, engine, containers, leftovers, images } = await fixture(t)
  containers.program = async (root) => {
    mkdirSync(join(root, 'half'))
    await sleep(10_000, undefined, { ref: false })
    return 0
  }
  const stream = buildImage(engine, Readable.from([tarOf({ Dockerfile: 'FROM base\nCOPY f /f\nRUN slow\nRUN never', f: 'f' })]), defaults, new AbortController().signal)
  for await (const line of stream) {
    if (line['stream'] === 'started\n') break
  }
  assert.equal(containers.count, 0)
  assert.deepEqual(await leftovers(), [])
  assert.deepEqual(mounts(stores), [])
  await contextsGone(stores)
  assert.equal(images.stored.size, 2)

  const controller = new AbortController()
  const lines: Progress[] = []
  for await (const line of buildImage(engine, Readable.from([tarOf({ Dockerfile: 'FROM base\nRUN slow' })]), defaults, controller.signal)) {
    lines.push(line)
    if (line['stream'] === 'started\n') controller.abort()
  }
  assert.equal(lines.at(-1)?.['stream'], 'started\n')
  assert.equal(containers.count, 0)
  await contextsGone(stores)
})

test('a context that breaks off leaves nothing', async (t) => {
  const { stores, engine } = await fixture(t)
  const broken = new Readable({ read: () => undefined })
  const stream = buildImage(engine, broken, defaults, new AbortController().signal)
  const first = stream.next()
  broken.push(tarOf({ a: 'a' }).subarray(0, 600))
  await sleep(20)
  broken.destroy(new Error('aborted'))
  await assert.rejects(first, { message: 'aborted' })
  await contextsGone(stores)
})
