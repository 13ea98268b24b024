import { randomBytes, randomUUID } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type FileWorkers } from '@engine/image'
import { EngineError } from '@engine/linux'
import { now, rfc3339 } from '../clock.ts'
import type { VolumeSource } from '../context.ts'
import type { Events } from '../events/events.ts'
import type { EngineOptions, VolumeView } from '../interface.ts'
import type { Database } from '../state/database.ts'
import { VolumesTable, type VolumeRow } from '../state/volumes-table.ts'
import { DeviceMounts } from './device-mounts.ts'
import { unmountDevice } from './mount-device.ts'
import { NameLocks } from './name-locks.ts'
import { renamesFolder, VolumeDirectories } from './volume-directories.ts'
import type { ProjectQuotas, QuotaPlace } from '../quotas/project-quotas.ts'
import { checkVolumeDriver, checkVolumeName, checkVolumeOptions, isDevice, volumeSize } from './volume-options.ts'
import { settleVolumes } from './settle-volumes.ts'
import { VolumeWork } from './volume-work.ts'

const anonymousLabel = 'com.docker.volume.anonymous'

export interface VolumeStoreParts {
  readonly db: Database
  /** The directory `volumes`. */
  readonly root: string
  readonly workers: FileWorkers
  readonly events: Pick<Events, 'publish'>
  readonly quotas: Pick<ProjectQuotas, 'supports' | 'hold' | 'release' | 'rename'>
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
  /** Host's ids of who has its directory: containers' root. */
  readonly owner: { readonly uid: number; readonly gid: number }
}

/** Volumes: a row each, and a directory volumes/<name>/_data; those with options are mounted there while somebody uses them. */
export class VolumeStore implements VolumeSource {
  readonly #parts: VolumeStoreParts
  readonly #table: VolumesTable
  readonly #files: VolumeDirectories
  readonly #mounts = new DeviceMounts()
  /** Who makes, renames or removes a volume has its name until that is done. */
  readonly #names = new NameLocks()
  readonly #work = new VolumeWork()
  readonly #filling = new NameLocks()

  constructor(parts: VolumeStoreParts) {
    this.#parts = parts
    this.#table = new VolumesTable(parts.db)
    this.#files = new VolumeDirectories(parts)
  }

  /**
   * Makes a volume, or answers the one that has the name already, whatever its labels.
   * @throws EngineError invalid-argument, not-found and not-implemented in Docker's words
   */
  async create({ name, anonymous = name === '', driver, options, labels, owner }: NewVolume): Promise<VolumeView> {
    const chosen = name === '' ? randomBytes(32).toString('hex') : name
    checkVolumeDriver(chosen, driver)
    checkVolumeName(chosen)
    return await this.#names.run([chosen], () => this.#make(chosen, { anonymous, options, labels, owner }))
  }

  #make(chosen: string, { anonymous, options, labels, owner }: Pick<NewVolume, 'options' | 'labels' | 'owner'> & { readonly anonymous: boolean }): VolumeView {
    const existing = this.#table.get(chosen)
    if (existing !== undefined) return this.#view(existing)
    checkVolumeOptions(chosen, options, () => this.#parts.quotas.supports(this.#parts.root))
    const all = anonymous ? { ...labels, [anonymousLabel]: '' } : labels
    // The directory first: a row means that all is there. One that a crash left without a row is taken over.
    mkdirSync(join(this.#parts.root, chosen), { recursive: true, mode: 0o711 })
    mkdirSync(this.#files.directory(chosen), { recursive: true, mode: 0o755 })
    if (owner.uid !== 0 || owner.gid !== 0) chownSync(this.#files.directory(chosen), owner.uid, owner.gid)
    const bytes = volumeSize(options)
    if (bytes > 0) this.#parts.quotas.hold({ volume: chosen }, this.#place(chosen), bytes)
    return this.#commit(chosen, all, options, anonymous)
  }

  #commit(name: string, labels: Readonly<Record<string, string>>, options: Readonly<Record<string, string>>, anonymous: boolean): VolumeView {
    const orNull = (map: Readonly<Record<string, string>>) => (Object.keys(map).length === 0 ? null : map)
    const row: VolumeRow = { name, createdAt: rfc3339((now() / 1_000_000_000n) * 1_000_000_000n), labels: orNull(labels), options: orNull(options), anonymous }
    this.#table.insert(row)
    this.#parts.events.publish('volume', 'create', name, { driver: 'local' })
    return this.#view(row)
  }

  /**
   * Makes a volume with the contents of another, whose users go on. Files share their blocks where the file system can.
   * @throws EngineError not-found, invalid-argument; conflict when there is a volume of the new name
   */
  async clone(from: string, to: string, labels: Readonly<Record<string, string>>): Promise<VolumeView> {
    const source = this.#get(from)
    checkVolumeName(to)
    if (this.has(to)) throw taken(to)
    const making = this.#files.beginMaking()
    try {
      mkdirSync(join(making, to, '_data'), { recursive: true, mode: 0o711 })
      await this.using(from, 'clone', () => this.#parts.workers.run({ kind: 'clone-tree', from: this.#files.directory(source.name), to: join(making, to, '_data') }))
      await this.#parts.workers.run({ kind: 'sync', directory: making })
      return await this.#names.run([to], () => {
        if (this.has(to) || existsSync(join(this.#parts.root, to))) throw taken(to)
        // The row first: with it, the next start finishes what a crash has broken off here, and without it, undoes it.
        const view = this.#commit(to, labels, {}, false)
        renameSync(join(making, to), join(this.#parts.root, to))
        return view
      })
    } finally {
      this.#files.discard(making)
    }
  }

  /**
   * Gives a volume that nobody uses another name.
   * @param refuse throws when somebody has it after all, asked when nobody new can come by it any more
   * @throws EngineError not-found, invalid-argument, conflict
   */
  async rename(from: string, to: string, refuse: () => void): Promise<VolumeView> {
    checkVolumeName(to)
    return await this.#names.run([from, to], async () => {
      this.#get(from)
      this.#work.refuse('rename', from)
      refuse()
      if (this.has(to) || existsSync(join(this.#parts.root, to))) throw taken(to)
      return await this.#rename(from, to)
    })
  }

  async #rename(from: string, to: string): Promise<VolumeView> {
    const note = join(this.#parts.root, renamesFolder, from)
    symlinkSync(to, note)
    renameSync(join(this.#parts.root, from), join(this.#parts.root, to))
    await this.#files.sync()
    this.#table.rename(from, to)
    this.#parts.quotas.rename(from, to)
    unlinkSync(note)
    this.#parts.events.publish('volume', 'rename', to, { driver: 'local', oldName: from })
    return this.inspect(to)
  }

  /** Bytes of a volume's files; 0 for one whose files lie elsewhere, or that is removed meanwhile. */
  async usage(name: string): Promise<number> {
    if (isDevice(this.#get(name).options)) return 0
    const directory = this.#files.directory(name)
    return await this.#parts.workers.run({ kind: 'usage', directory }).catch((error: unknown) => {
      if (existsSync(directory)) throw error
      return 0
    })
  }

  /** Mounts a volume that has options. @param user a container's id */
  async use(name: string, user: string): Promise<void> {
    const { options } = this.#get(name)
    if (isDevice(options)) await this.#mounts.use(name, this.#files.directory(name), options, user)
  }

  async release(name: string, user: string): Promise<void> {
    await this.#mounts.release(name, this.#files.directory(name), user)
  }

  /** Runs work on a volume's files, while nobody removes or renames it. @param what it is, as others are told */
  async using<T>(name: string, what: string, work: () => Promise<T>): Promise<T> {
    const user = randomUUID()
    using _work = await this.#names.run([name], () => this.#work.begin(this.#get(name).name, what))
    try {
      await this.use(name, user)
      return await work()
    } finally {
      await this.release(name, user)
    }
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
    return this.#files.directory(this.#get(name).name)
  }

  /** Where a volume's files are, which may be held to a size; undefined when there is none of the name. */
  quotaPlace(name: string): QuotaPlace | undefined {
    return this.has(name) ? this.#place(name) : undefined
  }

  #place(name: string): QuotaPlace {
    return { root: this.#parts.root, directories: [this.#files.directory(name)] }
  }

  isAnonymous(name: string): boolean {
    return this.#table.get(name)?.anonymous ?? false
  }

  async populate(name: string, root: string, path: string): Promise<void> {
    const directory = this.mountpoint(name)
    const copy = async (): Promise<void> => {
      if (readdirSync(directory).length === 0) await this.#parts.workers.run({ kind: 'copy-tree', root, path, directory })
    }
    // Two containers that are made at once do not fill it together.
    await this.using(name, "copy of an image's files", () => this.#filling.run([name], copy))
  }

  /**
   * Removes a volume and all that is in it.
   * @param refuse throws when somebody has it, asked when nobody new can come by it any more; without it, whoever uses it
   * @throws EngineError not-found; conflict while its files are copied
   */
  async remove(name: string, refuse?: () => void): Promise<void> {
    await this.#names.run([name], async () => {
      this.#get(name)
      this.#work.refuse('remove', name)
      refuse?.()
      await this.#discard(name)
      this.#parts.events.publish('volume', 'destroy', name, { driver: 'local' })
    })
  }

  /** At the start; see settleVolumes. */
  reconcile(inUse: Iterable<readonly [name: string, user: string]> = []): void {
    settleVolumes({ ...this.#parts, table: this.#table, files: this.#files, mounts: this.#mounts }, inUse)
  }

  /** Moves the directory out of sight, takes the row away, and deletes the files in a worker. */
  async #discard(name: string): Promise<void> {
    await unmountDevice(this.#files.directory(name))
    const trash = this.#files.moveAway(name)
    await this.#files.sync()
    this.#table.delete(name)
    this.#parts.quotas.release({ volume: name }, this.#parts.root)
    this.#files.delete(trash)
  }

  #get(name: string): VolumeRow {
    const row = this.#table.get(name)
    if (row === undefined) throw new EngineError('not-found', `get ${name}: no such volume`)
    return row
  }

  #view(row: VolumeRow): VolumeView {
    return {
      Name: row.name,
      Driver: 'local',
      Mountpoint: this.#files.directory(row.name),
      CreatedAt: row.createdAt,
      Labels: row.labels === null ? null : { ...row.labels },
      Scope: 'local',
      Options: row.options === null ? null : { ...row.options },
    }
  }
}

function taken(name: string): EngineError {
  return new EngineError('conflict', `a volume named ${name} already exists`)
}
