import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { Digest } from '../digest.ts'
import type { Change } from '../layer/changes.ts'
import type { TarLimits } from '../layer/tar/entry.ts'
import type { Archived } from '../worker/job.ts'
import type { FileWorkers } from '../worker/pool.ts'
import { LayerMaker, type CreateLayerOptions, type Layer, type LayerSource, type UnpackedLayer } from './layer-maker.ts'
import { initSuffix, Layout } from './layout.ts'
import type { MappedIds } from './mapped-ids.ts'
import { OverlayMounts, type MountOptions, type WithRoom } from './mounts.ts'
import { prepareContainer } from './prepare-container.ts'
import { ShortLinks } from './short-links.ts'
import { Trash } from './trash.ts'

export interface OverlayStoreOptions {
  /** The directory `overlay2`, absolute. */
  readonly root: string
  readonly workers: FileWorkers
  readonly limits?: TarLimits
  /** For containers that are mounted with mapped ids. */
  readonly ids?: MappedIds | undefined
  /** Mounts a container's file system when there is room for what the kernel needs for that: in a full layer it would be read-only. */
  readonly withRoom?: WithRoom
  /** Told of trees that could not be deleted; they are tried again at the next start. */
  readonly onTrashError?: (path: string, error: unknown) => void
}

/** `GraphDriver.Data` of an inspect. */
export interface GraphDriverData {
  readonly LowerDir?: string
  readonly MergedDir: string
  readonly UpperDir: string
  readonly WorkDir: string
}

/**
 * Layers and containers' file systems under overlay2/. It keeps no list of its own besides the folder: what is in there and not in
 * the database is the caller's to remove. A layer appears under its name whole or not at all.
 */
export class OverlayStore {
  readonly root: string
  readonly #workers: FileWorkers
  readonly #links: ShortLinks
  readonly #trash: Trash
  readonly #mounts: OverlayMounts
  readonly #maker: LayerMaker

  private constructor({ root, workers, limits, ids, withRoom, onTrashError }: OverlayStoreOptions) {
    this.root = root
    this.#workers = workers
    this.#links = new ShortLinks(root)
    this.#trash = new Trash(root, workers, onTrashError ?? (() => undefined))
    this.#mounts = new OverlayMounts(root, this.#links, ids, withRoom ?? ((_id, mount) => mount()))
    this.#maker = new LayerMaker(root, workers, limits, this.#links, this.#trash)
  }

  /**
   * Opens the store: makes the directory a private mount of itself, notes what is mounted already (containers that outlived the
   * daemon), and begins to delete what a crash left.
   */
  static async open(options: OverlayStoreOptions): Promise<OverlayStore> {
    const store = new OverlayStore(options)
    await mkdir(store.root, { recursive: true, mode: 0o710 })
    store.#mounts.open()
    await store.#trash.open()
    await store.#maker.open()
    await store.#links.open()
    return store
  }

  // Layers

  /** Makes a layer of a tar or of a container's upper directory, see {@link LayerMaker.create}. */
  createLayer(source: LayerSource, parents: readonly string[], name: (diffId: Digest) => string, signal?: AbortSignal, more: CreateLayerOptions = {}): Promise<Layer> {
    return this.#maker.create(source, parents, name, signal, more)
  }

  /** Makes a layer's files before it is known who they are, see {@link LayerMaker.unpack}. */
  unpackLayer(source: LayerSource, signal?: AbortSignal, onProgress?: (bytes: number) => void): Promise<UnpackedLayer> {
    return this.#maker.unpack(source, signal, onProgress)
  }

  /** Makes a container's upper directory a layer, without copying, see {@link LayerMaker.adopt}; the container is gone afterwards. */
  async adoptLayer(snapshot: string, archived: Archived, parents: readonly string[], name: (diffId: Digest) => string, more: Pick<CreateLayerOptions, 'sync'> = {}): Promise<Layer> {
    await this.#mounts.detach(snapshot)
    const layer = await this.#maker.adopt(snapshot, archived, parents, name, more)
    await this.remove(snapshot)
    return layer
  }

  /** Whether a layer is there, whole. */
  hasLayer(id: string): boolean {
    return this.#maker.has(id)
  }

  /** Whether a layer's own records can be read, which a power cut may have damaged like its files. */
  isReadable(id: string): boolean {
    return this.#maker.isReadable(id)
  }

  /** Writes to disk what layers were made without it, and everything else of this file system. */
  async sync(): Promise<void> {
    await this.#workers.run({ kind: 'sync', directory: this.root })
  }

  // Containers

  /** Makes a container's directories over the layers of its image, see {@link prepareContainer}. */
  prepare(id: string, parents: readonly string[], options: { readonly init: boolean } = { init: true }): Layout {
    return prepareContainer(this.root, this.#links, id, parents, options)
  }

  /** Mounts a container's file system, unless it is mounted, see {@link OverlayMounts.mount}. @returns the path of the merged directory */
  mount(id: string, options: MountOptions = {}): Promise<string> {
    return this.#mounts.mount(id, options)
  }

  isMounted(id: string): boolean {
    return this.#mounts.isMounted(id)
  }

  /** Mounts a container's file system for somebody beside the container, see {@link OverlayMounts.hold}. */
  hold(id: string, options: Pick<MountOptions, 'mapped'> = {}): Promise<AsyncDisposable & { readonly merged: string }> {
    return this.#mounts.hold(id, options)
  }

  /** Unmounts a container's file system when nobody holds it any more, see {@link OverlayMounts.unmount}. */
  unmount(id: string): Promise<void> {
    return this.#mounts.unmount(id)
  }

  // Both

  /** Takes away a layer or container: it is gone when this returns, its files are deleted in the background. */
  async remove(id: string): Promise<void> {
    const layout = this.#layout(id)
    await this.#links.remove(layout.link)
    await this.#mounts.retire(id, () => this.#trash.throwAway(layout.directory))
    if (!id.endsWith(initSuffix) && existsSync(this.#layout(`${id}${initSuffix}`).directory)) await this.remove(`${id}${initSuffix}`)
  }

  /** Paths of a layer or container. */
  layout(id: string): Layout {
    return this.#layout(id)
  }

  /** `GraphDriver.Data` in Docker's form: paths that a user can list, lower ones topmost first; a base layer has none. */
  graphDriverData(id: string): GraphDriverData {
    const layout = this.#layout(id)
    const lower = this.#links.lowerDirectories(layout)
    return { ...(lower.length === 0 ? {} : { LowerDir: lower.join(':') }), MergedDir: layout.merged, UpperDir: layout.diff, WorkDir: layout.work }
  }

  /** Bytes of a layer's files, or of what a container has written. */
  usage(id: string): Promise<number> {
    return this.#workers.run({ kind: 'usage', directory: this.#layout(id).diff })
  }

  /** What a container has changed, for `docker diff`. */
  changes(id: string): Promise<readonly Change[]> {
    const layout = this.#layout(id)
    return this.#workers.run({ kind: 'changes', upper: layout.diff, lowers: this.#links.lowerDirectories(layout) })
  }

  /** The first path in which two layers differ; undefined when there is none. */
  firstDifference(one: string, other: string): Promise<string | undefined> {
    return this.#workers.run({ kind: 'compare', one: this.#layout(one).diff, other: this.#layout(other).diff })
  }

  /** Makes no time of what a container has written later than `seconds` since the epoch. It must be unmounted. */
  async clampTimes(id: string, seconds: number): Promise<void> {
    await this.#workers.run({ kind: 'clamp-times', directory: this.#layout(id).diff, seconds })
  }

  /** The digest of a layer's or container's tar, which is written to `file` if one is given. The same files give the same digest. */
  archive(id: string, file?: string): Promise<Archived> {
    return this.#workers.run({ kind: 'archive', directory: this.#layout(id).diff, archive: 'layer', ...(file === undefined ? {} : { file }) })
  }

  /** A layer's tar, made again of its files. */
  archiveStream(id: string): Readable {
    return this.#workers.stream({ kind: 'stream', directory: this.#layout(id).diff, archive: 'layer' })
  }

  /** Ids of what is on the disk: layers that are whole, and everything else (containers, and what a crash left of layers). */
  async list(): Promise<{ readonly layers: string[]; readonly others: string[] }> {
    const ids = (await readdir(this.root)).filter((name) => /^[0-9a-f]{64}$/.test(name)).sort()
    return { layers: ids.filter((id) => this.hasLayer(id)), others: ids.filter((id) => !this.hasLayer(id)) }
  }

  /** Waits until everything that was removed is deleted. */
  settled(): Promise<void> {
    return this.#trash.settled()
  }

  /** Takes away every mount below the store and its own: for an uninstall and for tests, never while containers run. */
  async detach(): Promise<void> {
    await this.settled()
    await this.#mounts.detachAll()
  }

  #layout(id: string): Layout {
    return new Layout(this.root, id)
  }
}
