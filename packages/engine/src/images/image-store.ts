import {
  chainIds, digestHex, familiarName, fullName, isDigest, parseReference, storedName, withDefaultTag,
  type ContentStore, type Digest, type Image, type Layer, type OverlayStore,
} from '@engine/image'
import { EngineError } from '@engine/linux'
import { now, rfc3339 } from '../clock.ts'
import type { ContainerImage, ImageSource } from '../context.ts'
import { transaction, withoutSync } from '../state/database.ts'
import { ImageContentsTable } from '../state/image-contents-table.ts'
import { ImageUsesTable } from '../state/image-uses-table.ts'
import { ImagesTable, type ImageRow } from '../state/images-table.ts'
import { LayersTable, type LayerRow } from '../state/layers-table.ts'
import { checkPlatform } from './check-platform.ts'
import { noSuchImage } from './errors.ts'
import { ImageSweep, type ImageStoreParts } from './image-sweep.ts'

/** An image that is here. */
export interface StoredImage {
  readonly id: Digest
  readonly config: ImageRow['config']
  /** Ids of its layers under overlay2/, topmost first. */
  readonly layers: readonly string[]
}

/**
 * Images, their names and their layers. The database decides what there is; files without a row are left of a crash and go at the next
 * start. An image's layers are shared by chain ID, and go when no image and no container has them.
 */
export class ImageStore implements ImageSource {
  readonly images: ImagesTable
  readonly layers: LayersTable
  readonly contents: ImageContentsTable
  readonly uses: ImageUsesTable
  readonly content: ContentStore
  readonly overlay: OverlayStore
  readonly #parts: ImageStoreParts
  readonly #sweep: ImageSweep

  constructor(parts: ImageStoreParts) {
    this.#parts = parts
    this.images = new ImagesTable(parts.db)
    this.layers = new LayersTable(parts.db)
    this.contents = new ImageContentsTable(parts.db)
    this.uses = new ImageUsesTable(parts.db)
    this.content = parts.content
    this.overlay = parts.overlay
    this.#sweep = new ImageSweep(this, parts)
  }

  /**
   * Finds what a client's text means, in Docker's order: a whole ID, a name (`:latest` where it has no tag), the beginning of an ID.
   * @throws EngineError not-found `No such image: x:latest`, invalid-argument for what can be neither
   */
  resolve(ref: string): ImageRow {
    const id = isDigest(ref) ? ref : /^[0-9a-f]{64}$/.test(ref) ? (`sha256:${ref}` as const) : undefined
    if (id !== undefined) {
      const image = this.images.get(id)
      if (image === undefined) throw noSuchImage(id)
      return image
    }
    const reference = withDefaultTag(parseReference(ref))
    const named = this.images.byName(storedName(reference))
    const digits = /^(?:sha256:)?([0-9a-f]{1,63})$/.exec(ref)?.[1]
    const [found, another] = named !== undefined ? [named] : digits === undefined ? [] : this.images.idsBeginning(digits)
    const image = found === undefined || another !== undefined ? undefined : this.images.get(found)
    if (image === undefined) throw noSuchImage(familiarName(reference))
    return image
  }

  /** @throws EngineError not-found, also for an image of another platform than the one asked for */
  find(ref: string, platform: string | undefined): StoredImage {
    const image = this.resolve(ref)
    if (platform) checkPlatform(ref, image, platform)
    return this.#stored(image)
  }

  forContainer(ref: string, platform: string | undefined): ContainerImage {
    const image = this.find(ref, platform)
    this.used(image.id)
    const { os, architecture } = image.config
    return { id: image.id, config: image.config.config ?? {}, platform: { os, architecture }, layers: image.layers }
  }

  /** An image is of use, at this moment. */
  used(id: string): void {
    this.uses.note(id, Date.now())
  }

  shownName(given: string, imageId: string): string {
    try {
      return this.resolve(given).id === imageId ? given : imageId
    } catch (error) {
      if (error instanceof EngineError) return imageId
      throw error
    }
  }

  idsOf(ref: string): readonly string[] {
    const found: Digest[] = []
    try {
      found.push(this.resolve(ref).id)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
    }
    // With all that were made from it.
    for (const id of found) found.push(...this.images.children(id))
    return found
  }

  layerSize(id: string): number {
    return this.layers.get(id)?.size ?? 0
  }

  get(id: string): StoredImage | undefined {
    const image = this.images.get(id)
    return image === undefined ? undefined : this.#stored(image)
  }

  /**
   * Puts a new image into the database; its layers are under overlay2/ already. An image that is there stays.
   * @param parent id of the image that it was made from; '' for none
   * @param layer  the layer that it has on top of its parent's
   * @param more   `blob`: the layer's tar, when it came as one; `unsynced`: nothing need be on the disk when this returns, and this is
   *   called in the transaction, to note that
   */
  async add(image: Image, parent: string, layer: Layer | undefined, more: { readonly blob?: LayerRow['blob']; readonly unsynced?: () => void } = {}): Promise<void> {
    const { blob, unsynced } = more
    try {
      await this.content.put(image.bytes, { sync: unsynced === undefined })
      const insert = (): void => this.insert(image, parent, layer === undefined ? [] : [{ ...layer, blob }], unsynced)
      if (unsynced === undefined) insert()
      else withoutSync(this.#parts.db, insert)
    } catch (error) {
      this.#sweep.abandon()
      throw error
    }
  }

  /**
   * Puts an image into the database whose configuration is in the content store and whose layers are under overlay2/.
   * @param made     the layers that came with it
   * @param together what else is written in the same commit
   */
  insert(image: Image, parent: string, made: readonly LayerRow[], together?: () => void): void {
    const layers = chainIds(image.config.rootfs.diff_ids).map(digestHex)
    transaction(this.#parts.db, () => {
      for (const layer of made) this.layers.insert(layer)
      for (const id of layers) {
        // Its image was removed meanwhile: whoever makes this one has held the files.
        const lost = this.layers.get(id) === undefined ? this.#sweep.orphan(id) : undefined
        if (lost !== undefined) this.layers.insert(lost)
        if (this.layers.get(id) === undefined || !this.overlay.hasLayer(id)) throw new EngineError('internal', `layer ${id} of image ${image.id} is not there`)
      }
      this.images.insert(image, isDigest(parent) ? parent : '', layers)
      this.used(image.id)
      together?.()
    })
    this.#sweep.keep(layers)
  }

  /** Writes several things into the database in one commit. */
  atOnce<T>(work: () => T): T {
    return transaction(this.#parts.db, work)
  }

  /** Gives a layer another tar, the one that it is pushed as; the one before goes when nothing has it. */
  async setBlob({ id, blob: before }: LayerRow, blob: NonNullable<LayerRow['blob']>): Promise<void> {
    this.layers.setBlob(id, blob)
    if (before !== undefined && before.digest !== blob.digest && !this.contents.blobs().has(before.digest)) await this.content.remove(before.digest)
  }

  /** Gives an image a name, and takes it from another. @returns the name as users write it, `busybox:latest` */
  async tag(id: string, name: string): Promise<string> {
    const image = this.images.get(id)
    if (image === undefined) throw noSuchImage(id)
    const reference = withDefaultTag(parseReference(name))
    if (reference.digest !== undefined) throw new EngineError('invalid-argument', 'refusing to create a tag with a digest reference')
    const familiar = familiarName(reference)
    if (familiar.startsWith('sha256:')) throw new EngineError('invalid-argument', 'refusing to create an ambiguous tag using digest algorithm as name')
    transaction(this.#parts.db, () => this.images.setName(fullName(reference), image.id, rfc3339(now())))
    this.publish('tag', image, familiar)
    return familiar
  }

  /** Tells the world; image events carry the image's labels. */
  publish(action: string, image: Pick<ImageRow, 'id' | 'config'>, name: string): void {
    this.#parts.events.publish('image', action, image.id, { ...image.config.config?.Labels, name })
  }

  /**
   * Takes away an image with its names, its configuration, and the layers that nothing else has.
   * @returns chain IDs of those layers, topmost first
   */
  async delete(id: Digest): Promise<Digest[]> {
    const gone = transaction(this.#parts.db, () => {
      const layers = this.layers.ofImage(id).reverse()
      // The configuration too: a pull of the same image may be about to have it.
      this.#sweep.forgetBlobs([...this.contents.ofImage(id), { digest: id }])
      this.images.delete(id)
      this.uses.forget(id)
      return this.#sweep.forget(layers)
    })
    await this.#sweep.run()
    return gone.map((layer) => `sha256:${layer.id}` as const)
  }

  /** Keeps an image from being removed, and all layers' files, until it is disposed: for builds, and while a layer is being made. */
  hold(id: string): Disposable {
    return this.#sweep.hold(id)
  }

  /** Says what is to be done when an image is held no more. */
  whenReleased(id: string, work: () => Promise<void>): void {
    this.#sweep.whenReleased(id, work)
  }

  /** Says who is told when nothing is held any more. */
  whenIdle(listener: () => void): void {
    this.#sweep.whenIdle(listener)
  }

  isHeld(id: string): boolean {
    return this.#sweep.isHeld(id)
  }

  /** Whether an image is coming, by a pull or a load: it may have layers that are here, whatever else has them. */
  get isTransferring(): boolean {
    return this.#sweep.isTransferring
  }

  /** What was made for an image that failed goes as soon as nothing is held. */
  abandon(): void {
    this.#sweep.abandon()
  }

  /** Takes away layers that nothing has any more: after a container was removed whose image had gone before it. */
  collect(): Promise<void> {
    return this.#sweep.collect()
  }

  /** At the start: takes away what a crash left without a row, and reports rows whose files are missing. */
  reconcile(): Promise<void> {
    return this.#sweep.reconcile()
  }

  #stored(image: ImageRow): StoredImage {
    return { id: image.id, config: image.config, layers: chainIds(image.config.rootfs.diff_ids).map(digestHex).reverse() }
  }
}
