import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, open, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spreadSubdirectories } from '@engine/linux/inode-flags'
import type { Digest } from '../digest.ts'
import type { Extracted } from '../layer/apply.ts'
import type { TarLimits } from '../layer/tar/entry.ts'
import type { Archived } from '../worker/job.ts'
import type { GrowingFile } from '../worker/growing-file.ts'
import type { FileWorkers } from '../worker/pool.ts'
import { checkId, Layout, linkFolder, makingFolder } from './layout.ts'
import type { ShortLinks } from './short-links.ts'
import type { Trash } from './trash.ts'

/** Where a new layer's files come from: a tar of the content store, one that is still being written, or the upper directory of a container. */
export type LayerSource = { readonly file: string; readonly growing?: GrowingFile } | { readonly snapshot: string }

export interface CreateLayerOptions {
  /** Whether it must be on the disk when it is there; without it a power cut may damage it, until `sync`. Default true. */
  readonly sync?: boolean
  /** What has to be done before it can be put over the layers below: those, when they are made at the same time. */
  readonly below?: Promise<unknown>
  /** Told how many bytes of the tar have been read. */
  readonly onProgress?: (bytes: number) => void
}

/** A layer's files under a name of nobody's: nothing that the tar says of itself has been believed yet. Disposing takes away what was not placed. */
export interface UnpackedLayer extends AsyncDisposable {
  readonly extracted: Extracted
  /** Gives it its place, see {@link LayerMaker.create}. */
  place(parents: readonly string[], name: (diffId: Digest) => string, more?: Pick<CreateLayerOptions, 'sync' | 'below'>): Promise<Layer>
}

export interface Layer extends Extracted {
  /** Name of its directory. */
  readonly id: string
}

/** Makes layers' directories: beside, and then renamed, so that a layer appears under its name whole or not at all. */
export class LayerMaker {
  readonly #root: string
  readonly #workers: FileWorkers
  readonly #limits: TarLimits | undefined
  readonly #links: ShortLinks
  readonly #trash: Trash

  /** @param root the directory `overlay2` */
  constructor(root: string, workers: FileWorkers, limits: TarLimits | undefined, links: ShortLinks, trash: Trash) {
    this.#root = root
    this.#workers = workers
    this.#limits = limits
    this.#links = links
    this.#trash = trash
  }

  /**
   * Makes the folder, and deletes what was being made when the daemon ended. ext4 would put all layers side by side, where threads that
   * unpack wait for each other, and where files were deleted a moment ago: without a journal it then looks at each of those for every
   * file that it makes (`recently_deleted`).
   */
  async open(): Promise<void> {
    const folder = join(this.#root, makingFolder)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    spreadSubdirectories(folder)
    for (const name of await readdir(folder)) this.#trash.throwAway(join(folder, name))
  }

  /**
   * Makes a layer's directory from a tar or a container's upper directory. Crash-safe: it is made beside, written to disk and renamed.
   * @param name    gives the directory's name once the layer's diff ID is known: the digits of its chain ID
   * @param parents ids of the layers below, topmost first
   * @throws EngineError invalid-argument for a tar that is damaged or exceeds the limits, and whatever `name` throws; nothing is left then
   */
  async create(source: LayerSource, parents: readonly string[], name: (diffId: Digest) => string, signal?: AbortSignal, more: CreateLayerOptions = {}): Promise<Layer> {
    await using unpacked = await this.unpack(source, signal, more.onProgress)
    return await unpacked.place(parents, name, more)
  }

  /**
   * Makes a layer's files, and gives them no place yet: who they are, what is below them, and whether the bytes that they were made of
   * are the right ones may become known later.
   * @throws EngineError as {@link create}
   */
  async unpack(source: LayerSource, signal?: AbortSignal, onProgress?: (bytes: number) => void): Promise<UnpackedLayer> {
    const making = join(this.#root, makingFolder, randomUUID())
    const directory = join(making, 'diff')
    await mkdir(directory, { recursive: true, mode: 0o755 })
    try {
      const extracted = await this.#extract(source, directory, signal, onProgress)
      return this.#unpacked(making, extracted)
    } catch (error) {
      await this.#discard(making)
      throw error
    }
  }

  #extract(source: LayerSource, directory: string, signal: AbortSignal | undefined, onProgress: ((bytes: number) => void) | undefined): Promise<Extracted> {
    const options = { kind: 'layer' as const, sync: false }
    if ('snapshot' in source) return this.#workers.run({ kind: 'copy-layer', from: this.#layout(source.snapshot).diff, directory, options }, signal)
    const { file, growing } = source
    const limited = { ...options, ...(this.#limits === undefined ? {} : { limits: this.#limits }) }
    return this.#workers.run({ kind: 'extract', file, directory, options: limited, ...(growing === undefined ? {} : { growing: growing.size }) }, signal, onProgress, growing)
  }

  #unpacked(making: string, extracted: Extracted): UnpackedLayer {
    let isOurs = true
    return {
      extracted,
      place: async (parents, name, more = {}) => {
        const layer = { ...extracted, id: checkId(name(extracted.diffId)) }
        await more.below
        isOurs = false
        await this.#commitOrDiscard(making, layer, parents, more.sync)
        return layer
      },
      [Symbol.asyncDispose]: async () => {
        if (!isOurs) return
        isOurs = false
        await this.#discard(making)
      },
    }
  }

  /**
   * Makes a container's upper directory a layer, without copying: for build steps, whose container is thrown away. The container must
   * be unmounted, and what is left of it is the caller's to remove.
   * @param archived what {@link archive} said of it, for the name and the layer's record
   * @param more     `sync` as with {@link create}
   */
  async adopt(snapshot: string, archived: Archived, parents: readonly string[], name: (diffId: Digest) => string, more: Pick<CreateLayerOptions, 'sync'> = {}): Promise<Layer> {
    const from = this.#layout(snapshot)
    const size = await this.#workers.run({ kind: 'usage', directory: from.diff })
    const making = join(this.#root, makingFolder, randomUUID())
    await mkdir(making, { mode: 0o700 })
    const layer: Layer = { ...archived, size, entries: 0, id: checkId(name(archived.diffId)) }
    await rename(from.diff, join(making, 'diff'))
    await this.#commitOrDiscard(making, layer, parents, more.sync)
    return layer
  }

  /** Whether a layer is there, whole. */
  has(id: string): boolean {
    return existsSync(this.#layout(id).committed)
  }

  /** Whether a layer's records are whole: the file that says so, its short link, and those of the layers below. */
  isReadable(id: string): boolean {
    const layout = this.#layout(id)
    try {
      JSON.parse(readFileSync(layout.committed, 'utf8'))
      return [join(this.#root, linkFolder, readFileSync(layout.link, 'utf8').trim()), ...this.#links.lowerDirectories(layout)].every(existsSync)
    } catch {
      return false
    }
  }

  async #commitOrDiscard(making: string, layer: Layer, parents: readonly string[], sync = true): Promise<void> {
    try {
      await this.#commit(making, layer, parents, sync)
    } catch (error) {
      await this.#discard(making)
      throw error
    }
  }

  async #commit(making: string, layer: Layer, parents: readonly string[], sync: boolean): Promise<void> {
    const target = this.#layout(layer.id)
    // The same layer was made before, or at the same time by another.
    if (this.has(layer.id)) return this.#trash.throwAway(making)
    const { entries: _, ...record } = layer
    this.#links.describe(making, layer.id, parents)
    await writeFile(join(making, 'committed'), `${JSON.stringify(record)}\n`, { mode: 0o600 })
    if (sync) await this.#workers.run({ kind: 'sync', directory: making })
    // A directory without `committed` can only be left of a removal that was interrupted.
    if (existsSync(target.directory) && !this.has(layer.id)) this.#trash.throwAway(target.directory)
    try {
      await rename(making, target.directory)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if ((code !== 'ENOTEMPTY' && code !== 'EEXIST') || !this.has(layer.id)) throw error
      return this.#discard(making)
    }
    if (!sync) return
    await using root = await open(this.#root, 'r')
    await root.sync()
  }

  /** Takes away a directory that becomes nothing, with the short link that was made for it. */
  async #discard(making: string): Promise<void> {
    await this.#links.remove(join(making, 'link'))
    this.#trash.throwAway(making)
  }

  #layout(id: string): Layout {
    return new Layout(this.#root, id)
  }
}
