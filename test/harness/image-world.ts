import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { chainId, defaultLimits, defaultRegistryOptions, digestHex, endOfArchive, newEntry, padding, writeEntry, writeImageConfig, type ImageConfig } from '@engine/image'
import { imageVerbs } from '../../packages/engine/src/images/images.ts'
import { ImageStore } from '../../packages/engine/src/images/image-store.ts'
import { Registries } from '../../packages/engine/src/images/registries.ts'
import { openDatabase } from '../../packages/engine/src/state/database.ts'
import { migrations } from '../../packages/engine/src/state/migrations/index.ts'
import type { Filters, Images } from '../../packages/engine/src/interface.ts'
import type { Container } from '../../packages/engine/src/containers/container.ts'
import type { ImageVerbs } from '../../packages/engine/src/images/image-verbs.ts'
import { imageStores, type ImageStores } from './image-stores.ts'

export interface FakeContainer {
  readonly id: string
  readonly record: { readonly imageId: string; readonly layers: readonly string[]; readonly config: Record<string, unknown> }
  readonly state: { status: string }
  attributes(): Record<string, string>
}

export interface World {
  readonly stores: ImageStores
  readonly store: ImageStore
  readonly images: Images
  readonly containers: FakeContainer[]
  readonly events: [string, string, string, Readonly<Record<string, string>>][]
  readonly paused: string[]
  readonly logged: string[]
  import(content: Buffer, repository?: string, tag?: string, changes?: readonly string[]): Promise<string>
}

export const none: Filters = new Map()
export type Entry = readonly [string, ...string[]]
export const filters = (...entries: Entry[]): Filters => new Map(entries.map(([key, ...values]) => [key, values]))

export async function world(t: TestContext): Promise<World> {
  const stores = await imageStores(t)
  const db = openDatabase(join(stores.directory, 'engine.db'), migrations)
  t.after(() => db.close())
  const containers: FakeContainer[] = []
  const events: World['events'] = []
  const paused: string[] = []
  const logged: string[] = []
  const publisher = { publish: (...event: World['events'][number]) => void events.push(event) }
  const log = (level: string, fields: Readonly<Record<string, unknown>>, message: string): void => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`)
  const registry = {
    all: () => containers as unknown as Container[],
    usersOfImage: (id: string) => containers.filter(({ record }) => record.imageId === id) as unknown as Container[],
    find: (ref: string) => containers.find(({ id }) => id.startsWith(ref)) as unknown as Container,
  }
  const store = new ImageStore({ db, content: stores.content, overlay: stores.snapshots, containers: registry, events: publisher, log })
  const verbs: ImageVerbs = {
    store,
    containers: registry,
    events: publisher,
    registries: new Registries(defaultRegistryOptions),
    transfers: stores.workers,
    limits: defaultLimits,
    log,
    async whilePaused(id, work) {
      paused.push(`pause ${id}`)
      try {
        return await work()
      } finally {
        paused.push(`unpause ${id}`)
      }
    },
  }
  const images = imageVerbs(verbs, () => Readable.from([]))
  return {
    stores, store, images, containers, events, paused, logged,
    async import(content, repository = '', tag = '', changes = []) {
      const lines = await Array.fromAsync(images.import(Readable.from([content]), { repository, tag, message: '', changes }, new AbortController().signal))
      assert.equal(lines.length, 1)
      return lines[0]?.['status'] as string
    },
  }
}

export function tarOf(files: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(files).flatMap(([path, content]) => [writeEntry(newEntry('file', path, { size: content.length, mtime: 1_000_000_000n })), Buffer.from(content), padding(content.length)])
  return Buffer.concat([...parts, endOfArchive])
}

/** An image made from another, as a build does it: a file more, or only a line of history. */
export async function child({ store, stores }: World, parent: string, file: string | undefined): Promise<string> {
  const base = store.get(parent)
  assert.ok(base !== undefined)
  const diffIds = base.config.rootfs.diff_ids
  using _held = store.hold(parent)
  const blob = file === undefined ? undefined : await stores.content.ingest([tarOf({ [file]: file })])
  const layer = blob && (await stores.snapshots.createLayer({ file: stores.content.path(blob.digest) }, base.layers, (diffId) => digestHex(chainId([...diffIds, diffId]))))
  const config: ImageConfig = {
    ...base.config,
    created: new Date().toISOString(),
    history: [...(base.config.history ?? []), { created: new Date().toISOString(), created_by: `step ${file}`, ...(layer === undefined ? { empty_layer: true } : {}) }],
    rootfs: { type: 'layers', diff_ids: [...diffIds, ...(layer === undefined ? [] : [layer.diffId])] },
  }
  const image = writeImageConfig(config)
  await store.add(image, parent, layer)
  return image.id
}

export function container(world: World, image: string, status: string, config: Record<string, unknown> = {}): FakeContainer {
  const made: FakeContainer = {
    id: (world.containers.length + 1).toString(16).padStart(64, 'c'),
    record: { imageId: image, layers: world.store.get(image)?.layers ?? [], config },
    state: { status },
    attributes: () => ({ name: 'some-name' }),
  }
  world.containers.push(made)
  return made
}
