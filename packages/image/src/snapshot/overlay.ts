import { randomUUID } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir, open, readdir, readFile, readlink, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { EngineError } from '@engine/linux'
import { makePrivate, mountPrivately } from '@engine/linux/mount'
import { mountOverlay } from '@engine/linux/overlay-mount'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmountInBackground } from '@engine/linux/unmount'
import type { Digest } from '../digest.ts'
import type { Extracted } from '../layer/apply.ts'
import type { Change } from '../layer/changes.ts'
import type { TarLimits } from '../layer/tar/entry.ts'
import type { Archived } from '../worker/job.ts'
import type { FileWorkers } from '../worker/pool.ts'
import { makeInitLayer } from './init-layer.ts'
import { checkId, initSuffix, Layout, linkFolder, makingFolder, newShortName, trashFolder } from './layout.ts'
import { mountsBelow } from './mountinfo.ts'

export interface OverlayStoreOptions {
  /** The directory `overlay2`, absolute. */
  readonly root: string
  readonly workers: FileWorkers
  readonly limits?: TarLimits
  /** Told of trees that could not be deleted; they are tried again at the next start. */
  readonly onTrashError?: (path: string, error: unknown) => void
}

/** Where a new layer's files come from: a tar of the content store, or the upper directory of a container. */
export type LayerSource = { readonly file: string } | { readonly snapshot: string }

export interface CreateLayerOptions {
  /** Whether it must be on the disk when it is there; without it a power cut may damage it, until `sync`. Default true. */
  readonly sync?: boolean
  /** What has to be done before it can be put over the layers below: those, when they are made at the same time. */
  readonly below?: Promise<unknown>
  /** Told how many bytes of the tar have been read. */
  readonly onProgress?: (bytes: number) => void
}

export interface Layer extends Extracted {
  /** Name of its directory. */
  readonly id: string
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
  readonly #limits: TarLimits | undefined
  readonly #onTrashError: (path: string, error: unknown) => void
  readonly #mounted = new Set<string>()
  readonly #unmounting = new Map<string, Promise<void>>()
  /** Who reads in a mounted file system beside the container itself, and whether it is unmounted after the last of them. */
  readonly #held = new Map<string, { count: number; unmount: boolean }>()
  readonly #removals = new Set<Promise<void>>()

  private constructor(options: OverlayStoreOptions) {
    this.root = options.root
    this.#workers = options.workers
    this.#limits = options.limits
    this.#onTrashError = options.onTrashError ?? (() => undefined)
  }

  /**
   * Opens the store: makes the directory a private mount of itself, so that containers' mounts spread into no other namespace,
   * notes what is mounted already (containers that outlived the daemon), and begins to delete what a crash left.
   */
  static async open(options: OverlayStoreOptions): Promise<OverlayStore> {
    const store = new OverlayStore(options)
    await mkdir(store.root, { recursive: true, mode: 0o710 })
    const mounts = mountsBelow(store.root)
    if (!mounts.some(({ mountPoint }) => mountPoint === store.root)) mountPrivately(store.root)
    else makePrivate(store.root)
    for (const { mountPoint, type } of mounts) {
      if (type === 'overlay' && basename(mountPoint) === 'merged') store.#mounted.add(basename(dirname(mountPoint)))
    }
    for (const folder of [linkFolder, makingFolder, trashFolder]) await mkdir(join(store.root, folder), { recursive: true, mode: 0o700 })
    await store.#clean()
    return store
  }

  // Layers

  /**
   * Makes a layer's directory from a tar or a container's upper directory. Crash-safe: it is made beside, written to disk and renamed.
   * @param name    gives the directory's name once the layer's diff ID is known: the digits of its chain ID
   * @param parents ids of the layers below, topmost first
   * @throws EngineError invalid-argument for a tar that is damaged or exceeds the limits, and whatever `name` throws; nothing is left then
   */
  async createLayer(source: LayerSource, parents: readonly string[], name: (diffId: Digest) => string, signal?: AbortSignal, more: CreateLayerOptions = {}): Promise<Layer> {
    const making = join(this.root, makingFolder, randomUUID())
    const directory = join(making, 'diff')
    await mkdir(directory, { recursive: true, mode: 0o755 })
    try {
      const options = { kind: 'layer' as const, sync: false, ...(this.#limits === undefined ? {} : { limits: this.#limits }) }
      const extracted =
        'file' in source
          ? await this.#workers.run({ kind: 'extract', file: source.file, directory, options }, signal, more.onProgress)
          : await this.#workers.run({ kind: 'copy-layer', from: this.#layout(source.snapshot).diff, directory, options }, signal)
      const layer = { ...extracted, id: checkId(name(extracted.diffId)) }
      await more.below
      await this.#commit(making, layer, parents, more.sync ?? true)
      return layer
    } catch (error) {
      await this.#discard(making)
      throw error
    }
  }

  /**
   * Makes a container's upper directory a layer, without copying: for build steps, whose container is thrown away. The container must
   * be unmounted, and is gone afterwards.
   * @param archived what {@link archive} said of it, for the name and the layer's record
   */
  async adoptLayer(snapshot: string, archived: Archived, parents: readonly string[], name: (diffId: Digest) => string): Promise<Layer> {
    await this.#detachMount(snapshot)
    const from = this.#layout(snapshot)
    const size = await this.usage(snapshot)
    const making = join(this.root, makingFolder, randomUUID())
    await mkdir(making, { mode: 0o700 })
    const layer: Layer = { ...archived, size, entries: 0, id: checkId(name(archived.diffId)) }
    await rename(from.diff, join(making, 'diff'))
    try {
      await this.#commit(making, layer, parents)
    } catch (error) {
      await this.#discard(making)
      throw error
    }
    await this.remove(snapshot)
    return layer
  }

  /** Whether a layer is there, whole. */
  hasLayer(id: string): boolean {
    return existsSync(this.#layout(id).committed)
  }

  async #commit(making: string, layer: Layer, parents: readonly string[], sync = true): Promise<void> {
    const target = this.#layout(layer.id)
    // The same layer was made before, or at the same time by another.
    if (this.hasLayer(layer.id)) return this.#trash(making)
    const { entries: _, ...record } = layer
    this.#describe(making, layer.id, parents)
    await writeFile(join(making, 'committed'), `${JSON.stringify(record)}\n`, { mode: 0o600 })
    if (sync) await this.#workers.run({ kind: 'sync', directory: making })
    // A directory without `committed` can only be left of a removal that was interrupted.
    if (existsSync(target.directory) && !this.hasLayer(layer.id)) this.#trash(target.directory)
    try {
      await rename(making, target.directory)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if ((code !== 'ENOTEMPTY' && code !== 'EEXIST') || !this.hasLayer(layer.id)) throw error
      return this.#discard(making)
    }
    if (!sync) return
    await using root = await open(this.root, 'r')
    await root.sync()
  }

  /** Writes to disk what layers were made without it, and everything else of this file system. */
  async sync(): Promise<void> {
    await this.#workers.run({ kind: 'sync', directory: this.root })
  }

  // Containers

  /**
   * Makes a container's directories over the layers of its image. Doing it again repairs what is missing and keeps the rest.
   * @param parents ids of the image's layers, topmost first
   * @param options `init`: whether Docker's mount points and /.dockerenv come between; false for build steps
   */
  prepare(id: string, parents: readonly string[], options: { readonly init: boolean } = { init: true }): Layout {
    const layout = this.#layout(id)
    const below = options.init ? [this.#prepareInit(parents), ...parents] : parents
    mkdirSync(layout.directory, { recursive: true, mode: 0o710 })
    if (!existsSync(layout.diff)) {
      mkdirSync(layout.diff, { mode: 0o755 })
      const top = parents[0]
      // The merged root has the upper directory's attributes.
      if (top !== undefined) {
        const { uid, gid, mode } = statSync(this.#layout(top).diff)
        chownSync(layout.diff, uid, gid)
        chmodSync(layout.diff, mode & 0o7777)
      }
    }
    mkdirSync(layout.work, { recursive: true, mode: 0o700 })
    mkdirSync(layout.merged, { recursive: true, mode: 0o700 })
    this.#describe(layout.directory, id, below)
    return layout
  }

  /**
   * Mounts a container's file system, unless it is mounted.
   * @param options `volatile`: unmounting does not wait for the disk; only where the upper directory may be lost in a crash
   * @returns the path of the merged directory
   */
  async mount(id: string, options: { readonly volatile: boolean } = { volatile: false }): Promise<string> {
    await this.#unmounting.get(id)
    const held = this.#held.get(id)
    if (held !== undefined) held.unmount = false
    return this.#mountNow(id, options)
  }

  #mountNow(id: string, options: { readonly volatile: boolean }): string {
    const layout = this.#layout(id)
    if (this.#mounted.has(id)) return layout.merged
    // The kernel refuses what was mounted volatile before; whoever mounts it now knows that it is whole or may be lost.
    rmSync(join(layout.work, 'work/incompat'), { recursive: true, force: true })
    const lower = this.#lowerDirectories(layout)
    if (lower.length === 0) throw new EngineError('internal', `container ${id} has no layer below it`)
    mountOverlay({ lower, upper: layout.diff, work: layout.work }, layout.merged, options)
    this.#mounted.add(id)
    return layout.merged
  }

  isMounted(id: string): boolean {
    return this.#mounted.has(id)
  }

  /**
   * Mounts a container's file system for somebody beside the container. As long as one holds it, an unmount waits: it is done when the
   * last lets go, unless it was mounted again meanwhile (two mounts of one upper directory would be undefined behaviour).
   * @returns the path of the merged directory; disposing lets go
   */
  async hold(id: string): Promise<AsyncDisposable & { readonly merged: string }> {
    await this.#unmounting.get(id)
    const held = this.#held.get(id) ?? { count: 0, unmount: !this.#mounted.has(id) }
    const merged = this.#mountNow(id, { volatile: false })
    held.count++
    this.#held.set(id, held)
    let released = false
    const release = async (): Promise<void> => {
      if (released) return
      released = true
      if (--held.count > 0) return
      this.#held.delete(id)
      if (held.unmount) await this.unmount(id)
    }
    return { merged, [Symbol.asyncDispose]: release }
  }

  /** Unmounts a container's file system on another thread, which may take 100 ms; nothing happens when it is not mounted. */
  async unmount(id: string): Promise<void> {
    const held = this.#held.get(id)
    if (held !== undefined) {
      held.unmount = true
      return
    }
    await this.#detachMount(id)
  }

  async #detachMount(id: string): Promise<void> {
    const under = this.#unmounting.get(id)
    if (under !== undefined) return under
    if (!this.#mounted.has(id)) return
    const { merged } = this.#layout(id)
    const work = (async () => {
      // More than once, should it ever have been mounted twice.
      while (await unmountInBackground(merged, MNT_DETACH | UMOUNT_NOFOLLOW));
      this.#mounted.delete(id)
    })()
    this.#unmounting.set(id, work)
    try {
      await work
    } finally {
      this.#unmounting.delete(id)
    }
  }

  // Both

  /** Takes away a layer or container: it is gone when this returns, its files are deleted in the background. */
  async remove(id: string): Promise<void> {
    const layout = this.#layout(id)
    await this.#unlink(layout.link)
    // Whoever still holds it goes on in what is detached. One who came meanwhile may have mounted it again: between the last look
    // and the move nothing else runs.
    do await this.#detachMount(id)
    while (this.#mounted.has(id))
    this.#trash(layout.directory)
    if (!id.endsWith(initSuffix) && existsSync(this.#layout(`${id}${initSuffix}`).directory)) await this.remove(`${id}${initSuffix}`)
  }

  /** Paths of a layer or container. */
  layout(id: string): Layout {
    return this.#layout(id)
  }

  /** `GraphDriver.Data` in Docker's form: paths that a user can list, lower ones topmost first; a base layer has none. */
  graphDriverData(id: string): GraphDriverData {
    const layout = this.#layout(id)
    const lower = this.#lowerDirectories(layout)
    return { ...(lower.length === 0 ? {} : { LowerDir: lower.join(':') }), MergedDir: layout.merged, UpperDir: layout.diff, WorkDir: layout.work }
  }

  /** Bytes of a layer's files, or of what a container has written. */
  usage(id: string): Promise<number> {
    return this.#workers.run({ kind: 'usage', directory: this.#layout(id).diff })
  }

  /** What a container has changed, for `docker diff`. */
  changes(id: string): Promise<readonly Change[]> {
    const layout = this.#layout(id)
    return this.#workers.run({ kind: 'changes', upper: layout.diff, lowers: this.#lowerDirectories(layout) })
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
  async settled(): Promise<void> {
    while (this.#removals.size > 0) await Promise.all(this.#removals)
  }

  /** Takes away every mount below the store and its own: for an uninstall and for tests, never while containers run. */
  async detach(): Promise<void> {
    await this.settled()
    for (const { mountPoint } of mountsBelow(this.root).reverse()) await unmountInBackground(mountPoint, MNT_DETACH | UMOUNT_NOFOLLOW)
    this.#mounted.clear()
  }

  #layout(id: string): Layout {
    return new Layout(this.root, id)
  }

  /** The layer of mount points over an image's layers, made at its first container and shared by all. */
  #prepareInit(parents: readonly string[]): string {
    const id = `${parents[0] ?? 'scratch'}${initSuffix}`
    const layout = this.#layout(id)
    if (existsSync(layout.committed)) return id
    rmSync(layout.directory, { recursive: true, force: true })
    const making = join(this.root, makingFolder, randomUUID())
    mkdirSync(join(making, 'diff'), { recursive: true, mode: 0o755 })
    makeInitLayer(join(making, 'diff'), parents.map((parent) => this.#layout(parent).diff))
    this.#describe(making, id, parents)
    writeFileSync(join(making, 'committed'), '{}\n', { mode: 0o600 })
    renameSync(making, layout.directory)
    return id
  }

  /** Writes `link` and `lower`, and makes the short link. */
  #describe(directory: string, id: string, parents: readonly string[]): void {
    const link = join(directory, 'link')
    if (!existsSync(link)) {
      const short = newShortName()
      symlinkSync(`../${checkId(id)}/diff`, join(this.root, linkFolder, short))
      writeFileSync(link, short, { mode: 0o644 })
    }
    if (parents.length === 0) return
    const lower = parents.map((parent) => `${linkFolder}/${readFileSync(this.#layout(parent).link, 'utf8').trim()}`)
    writeFileSync(join(directory, 'lower'), lower.join(':'), { mode: 0o644 })
  }

  /** The directories below, topmost first, as `lower` names them. */
  #lowerDirectories(layout: Layout): string[] {
    if (!existsSync(layout.lower)) return []
    return readFileSync(layout.lower, 'utf8')
      .trim()
      .split(':')
      .map((link) => join(this.root, linkFolder, readlinkSync(join(this.root, link))))
  }

  async #unlink(linkFile: string): Promise<void> {
    try {
      const short = (await readFile(linkFile, 'utf8')).trim()
      if (/^[A-Z2-7]{26}$/.test(short)) await unlink(join(this.root, linkFolder, short))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  /** Takes away a directory that becomes nothing, with the short link that was made for it. */
  async #discard(making: string): Promise<void> {
    await this.#unlink(join(making, 'link'))
    this.#trash(making)
  }

  /** Moves a directory out of sight and deletes it in a worker. */
  #trash(directory: string): void {
    const name = randomUUID()
    try {
      renameSync(directory, join(this.root, trashFolder, name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    this.#delete(name)
  }

  #delete(name: string): void {
    const work = this.#workers
      .run({ kind: 'remove', directory: join(this.root, trashFolder), name })
      .catch((error: unknown) => this.#onTrashError(join(this.root, trashFolder, name), error))
      .finally(() => this.#removals.delete(work))
    this.#removals.add(work)
  }

  /** Deletes what was being made or deleted when the daemon ended, and short links that no directory has as its own. */
  async #clean(): Promise<void> {
    for (const name of await readdir(join(this.root, makingFolder))) this.#trash(join(this.root, makingFolder, name))
    for (const name of await readdir(join(this.root, trashFolder))) this.#delete(name)
    for (const short of await readdir(join(this.root, linkFolder))) {
      const link = join(this.root, linkFolder, short)
      if ((await ownLink(resolve(this.root, linkFolder, await readlink(link), '../link'))) !== short) await rm(link)
    }
  }
}

/** The short name in a directory's file `link`; undefined when there is none. */
async function ownLink(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
