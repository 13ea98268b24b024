import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileWorkers } from '@engine/image'
import { EngineError } from '@engine/linux'
import { now, rfc3339 } from '../clock.ts'
import type { VolumeSource } from '../context.ts'
import type { Events } from '../events/events.ts'
import type { EngineOptions, VolumeView } from '../interface.ts'
import type { Database } from '../state/database.ts'
import { VolumesTable, type VolumeRow } from '../state/volumes-table.ts'
import { checkVolumeDriver, checkVolumeName, checkVolumeOptions } from './volume-options.ts'

const anonymousLabel = 'com.docker.volume.anonymous'
/** Directories of volumes on their way out; no volume can have such a name. */
const trashFolder = '.removed'

export interface VolumeStoreParts {
  readonly db: Database
  /** The directory `volumes`. */
  readonly root: string
  readonly workers: FileWorkers
  readonly events: Pick<Events, 'publish'>
  readonly log: EngineOptions['log']
}

export interface NewVolume {
  /** '' for one without a name: it gets 64 hex digits. */
  readonly name: string
  /** The name is not the user's: it was chosen as for one without. */
  readonly anonymous?: boolean
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
}

/** Volumes: a row each, and a directory volumes/<name>/_data. */
export class VolumeStore implements VolumeSource {
  readonly #parts: VolumeStoreParts
  readonly #table: VolumesTable

  constructor(parts: VolumeStoreParts) {
    this.#parts = parts
    this.#table = new VolumesTable(parts.db)
    mkdirSync(join(parts.root, trashFolder), { recursive: true, mode: 0o711 })
  }

  /**
   * Makes a volume, or answers the one that has the name already, whatever its labels.
   * @throws EngineError invalid-argument, not-found and not-implemented in Docker's words
   */
  async create({ name, anonymous = name === '', driver, options, labels }: NewVolume): Promise<VolumeView> {
    const chosen = name === '' ? randomBytes(32).toString('hex') : name
    checkVolumeDriver(chosen, driver)
    checkVolumeName(chosen)
    const existing = this.#table.get(chosen)
    if (existing !== undefined) return this.#view(existing)
    checkVolumeOptions(chosen, options)
    const all = anonymous ? { ...labels, [anonymousLabel]: '' } : labels
    // The directory first: a row means that all is there. One that a crash left without a row is taken over.
    mkdirSync(join(this.#parts.root, chosen), { recursive: true, mode: 0o711 })
    mkdirSync(this.#directory(chosen), { recursive: true, mode: 0o755 })
    const row: VolumeRow = { name: chosen, createdAt: rfc3339((now() / 1_000_000_000n) * 1_000_000_000n), labels: Object.keys(all).length === 0 ? null : all, anonymous }
    this.#table.insert(row)
    this.#parts.events.publish('volume', 'create', chosen, { driver: 'local' })
    return this.#view(row)
  }

  has(name: string): boolean {
    return this.#table.get(name) !== undefined
  }

  async ensure(options: NewVolume): Promise<{ readonly name: string; readonly mountpoint: string }> {
    const { Name: name, Mountpoint: mountpoint } = await this.create(options)
    return { name, mountpoint }
  }

  /** @throws EngineError not-found `get x: no such volume` */
  inspect(name: string): VolumeView {
    return this.#view(this.#get(name))
  }

  /** All volumes, by name. */
  all(): VolumeView[] {
    return this.#table.all().map((row) => this.#view(row))
  }

  mountpoint(name: string): string {
    return this.#directory(this.#get(name).name)
  }

  isAnonymous(name: string): boolean {
    return this.#table.get(name)?.anonymous ?? false
  }

  async populate(name: string, root: string, path: string): Promise<void> {
    const directory = this.mountpoint(name)
    if (readdirSync(directory).length > 0) return
    await this.#parts.workers.run({ kind: 'copy-tree', root, path, directory })
  }

  /** Removes a volume and all that is in it, whoever uses it. @throws EngineError not-found */
  async remove(name: string): Promise<void> {
    this.#get(name)
    await this.#discard(name)
    this.#parts.events.publish('volume', 'destroy', name, { driver: 'local' })
  }

  /** At the start: finishes removals that a crash interrupted, and undoes creations. */
  reconcile(): void {
    for (const name of readdirSync(join(this.#parts.root, trashFolder))) {
      const volume = name.slice(name.indexOf('.') + 1)
      if (!existsSync(join(this.#parts.root, volume))) this.#table.delete(volume)
      this.#delete(name)
    }
    const known = this.#table.all()
    const names = new Set([trashFolder, ...known.map(({ name }) => name)])
    for (const name of readdirSync(this.#parts.root)) if (!names.has(name)) this.#removeEmpty(name)
    for (const { name } of known) {
      if (!existsSync(this.#directory(name))) this.#parts.log('error', { volume: name }, 'the directory of a volume is missing')
    }
  }

  /** Moves the directory out of sight, takes the row away, and deletes the files in a worker. */
  async #discard(name: string): Promise<void> {
    const trash = `${randomUUID()}.${name}`
    try {
      renameSync(join(this.#parts.root, name), join(this.#parts.root, trashFolder, trash))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    await using root = await open(this.#parts.root, 'r')
    await root.sync()
    this.#table.delete(name)
    this.#delete(trash)
  }

  #delete(name: string): void {
    this.#parts.workers
      .run({ kind: 'remove', directory: join(this.#parts.root, trashFolder), name })
      .catch((error: unknown) => this.#parts.log('warn', { path: join(this.#parts.root, trashFolder, name), error: String(error) }, 'a directory could not be deleted'))
  }

  /** Removes the directory of a volume that was never noted. Files in it are somebody's, who put them there without us. */
  #removeEmpty(name: string): void {
    try {
      for (const directory of [this.#directory(name), join(this.#parts.root, name)]) if (existsSync(directory)) rmdirSync(directory)
    } catch (error) {
      this.#parts.log('warn', { path: join(this.#parts.root, name), error: String(error) }, 'a directory among the volumes belongs to none')
    }
  }

  #get(name: string): VolumeRow {
    const row = this.#table.get(name)
    if (row === undefined) throw new EngineError('not-found', `get ${name}: no such volume`)
    return row
  }

  #directory(name: string): string {
    return join(this.#parts.root, name, '_data')
  }

  #view(row: VolumeRow): VolumeView {
    return {
      Name: row.name,
      Driver: 'local',
      Mountpoint: this.#directory(row.name),
      CreatedAt: row.createdAt,
      Labels: row.labels === null ? null : { ...row.labels },
      Scope: 'local',
      Options: null,
    }
  }
}
