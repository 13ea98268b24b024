import type { ContentStore, Digest, OverlayStore } from '@engine/image'
import { imageMounts } from '../containers/image-mounts.ts'
import type { ContainerMount } from '../containers/mount-parse.ts'
import type { Events } from '../events/events.ts'
import type { EngineOptions } from '../interface.ts'
import { transaction, type Database } from '../state/database.ts'
import type { ImageContent, ImageContentsTable } from '../state/image-contents-table.ts'
import type { ImagesTable } from '../state/images-table.ts'
import type { LayerRow, LayersTable } from '../state/layers-table.ts'

/** What uses images besides other images. */
export interface ImageUsers {
  all(): readonly { readonly record: { readonly layers: readonly string[]; readonly mounts?: readonly ContainerMount[] } }[]
}

export interface ImageStoreParts {
  readonly db: Database
  readonly content: ContentStore
  readonly overlay: OverlayStore
  readonly containers: ImageUsers
  readonly events: Pick<Events, 'publish'>
  readonly log: EngineOptions['log']
}

interface Stores {
  readonly images: ImagesTable
  readonly layers: LayersTable
  readonly contents: ImageContentsTable
  readonly content: ContentStore
  readonly overlay: OverlayStore
}

/** Takes away the layers and blobs that no image and no container has, when nothing is being made that may turn out to have them. */
export class ImageSweep {
  readonly #stores: Stores
  readonly #parts: Pick<ImageStoreParts, 'db' | 'containers' | 'log'>
  readonly #held = new Map<string, number>()
  /** Layers whose rows are gone and whose files wait until nothing is being made that may turn out to have them. */
  readonly #orphans = new Map<string, LayerRow>()
  /** Blobs that images had which are gone; they go as the layers do. */
  readonly #orphanBlobs = new Set<Digest>()
  readonly #afterwards = new Map<string, () => Promise<void>>()
  #onIdle: (() => void) | undefined
  /** Something was made that no row tells of, and that did not become an image. */
  #littered = false

  constructor(stores: Stores, parts: Pick<ImageStoreParts, 'db' | 'containers' | 'log'>) {
    this.#stores = stores
    this.#parts = parts
  }

  /** Keeps an image from being removed, and all layers' files, until it is disposed: for builds, and while a layer is being made. */
  hold(id: string): Disposable {
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1)
    let released = false
    return {
      [Symbol.dispose]: () => {
        if (released) return
        released = true
        const count = (this.#held.get(id) ?? 1) - 1
        if (count > 0) this.#held.set(id, count)
        else this.#held.delete(id)
        if (this.#held.size === 0) this.#onIdle?.()
        this.#afterRelease(id).catch((error: unknown) => this.#parts.log('warn', { error: String(error) }, 'a layer could not be removed'))
      },
    }
  }

  /** Says what is to be done when something is held no more. */
  whenReleased(id: string, work: () => Promise<void>): void {
    this.#afterwards.set(id, work)
  }

  async #afterRelease(id: string): Promise<void> {
    const work = this.#held.has(id) ? undefined : this.#afterwards.get(id)
    if (work !== undefined) this.#afterwards.delete(id)
    await work?.()
    await this.run()
  }

  /** Says who is told when nothing is held any more: what was being made is made. */
  whenIdle(listener: () => void): void {
    this.#onIdle = listener
  }

  isHeld(id: string): boolean {
    return this.#held.has(id)
  }

  /** Whether an image is coming, by a pull or a load: it may have layers that are here, whatever else has them. */
  get isTransferring(): boolean {
    return [...this.#held.keys()].some((key) => /^(?:pull|load) /.test(key))
  }

  /** What was made for an image that failed goes as soon as nothing is held. */
  abandon(): void {
    this.#littered = true
  }

  /** Takes away layers that nothing has any more: after a container was removed whose image had gone before it. */
  async collect(): Promise<void> {
    transaction(this.#parts.db, () => this.forget(this.#stores.layers.withoutImage()))
    await this.run()
  }

  /** At the start: takes away what a crash left without a row, and reports rows whose files are missing. */
  async reconcile(): Promise<void> {
    await this.collect()
    await this.#removeUnknown()
    for (const digest of await this.#stores.content.listPartial()) if (!this.#stores.contents.isFetched(digest)) await this.#stores.content.removePartial(digest)
    for (const { id } of this.#stores.layers.all()) {
      if (!this.#stores.overlay.hasLayer(id)) this.#parts.log('error', { layer: id }, 'the files of a layer are missing: images that have it cannot be used')
    }
  }

  /** Removes layers and blobs that no row tells of; ends early when something is being made, which has none yet. */
  async #removeUnknown(): Promise<void> {
    for (const id of (await this.#stores.overlay.list()).layers) {
      if (this.#held.size > 0) return this.abandon()
      if (this.#stores.layers.get(id) === undefined) await this.#stores.overlay.remove(id)
    }
    const blobs = this.#stores.contents.blobs()
    for (const digest of await this.#stores.content.list()) {
      if (this.#held.size > 0) return this.abandon()
      // Asked again: an image may have come meanwhile.
      if (!blobs.has(digest) && !this.#stores.contents.blobs().has(digest) && this.#stores.images.get(digest) === undefined) await this.#stores.content.remove(digest)
    }
  }

  /** An image has these layers. */
  keep(layers: readonly string[]): void {
    for (const id of layers) this.#orphans.delete(id)
  }

  /** A layer whose row is gone and whose files are still there, because something is being made. */
  orphan(id: string): LayerRow | undefined {
    return this.#orphans.get(id)
  }

  /** An image is gone that had these blobs: they go when no other has them. */
  forgetBlobs(contents: readonly Pick<ImageContent, 'digest'>[]): void {
    for (const { digest } of contents) this.#orphanBlobs.add(digest)
  }

  /** Deletes the rows of those layers that nothing has. In a transaction. */
  forget(layers: readonly LayerRow[]): LayerRow[] {
    const unused = new Set(this.#stores.layers.withoutImage().map(({ id }) => id))
    const inUse = new Set(this.#parts.containers.all().flatMap(({ record }) => [...record.layers, ...imageMounts({ mounts: record.mounts ?? [] }).flatMap(({ layers }) => layers)]))
    const gone = layers.filter(({ id }) => unused.has(id) && !inUse.has(id))
    for (const layer of gone) {
      this.#stores.layers.delete(layer.id)
      this.#orphans.set(layer.id, layer)
    }
    return gone
  }

  /** Removes the files of layers whose rows are gone; not while anything is held, which may be making the same layer again. */
  async run(): Promise<void> {
    if (this.#held.size > 0) return
    const orphans = [...this.#orphans.values()]
    this.#orphans.clear()
    for (const { id, blob } of orphans) {
      if (this.#stores.layers.get(id) !== undefined) continue
      await this.#stores.overlay.remove(id)
      if (blob !== undefined) this.#orphanBlobs.add(blob.digest)
    }
    await this.#sweepBlobs()
    if (!this.#littered) return
    this.#littered = false
    await this.#removeUnknown()
  }

  async #sweepBlobs(): Promise<void> {
    if (this.#orphanBlobs.size === 0) return
    const orphans = [...this.#orphanBlobs]
    this.#orphanBlobs.clear()
    this.#stores.contents.forgetRepositories()
    const blobs = this.#stores.contents.blobs()
    for (const digest of orphans) if (!blobs.has(digest) && this.#stores.images.get(digest) === undefined) await this.#stores.content.remove(digest)
  }
}
