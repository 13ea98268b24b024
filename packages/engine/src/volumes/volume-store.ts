import { randomBytes, randomUUID } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { mountsBelow, type FileWorkers } from '@engine/image'
import { EngineError } from '@engine/linux'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from '@engine/linux/unmount'
import { now, rfc3339 } from '../clock.ts'
import type { VolumeSource } from '../context.ts'
import type { Events } from '../events/events.ts'
import type { EngineOptions, VolumeView } from '../interface.ts'
import type { Database } from '../state/database.ts'
import { VolumesTable, type VolumeRow } from '../state/volumes-table.ts'
import { DeviceMounts } from './device-mounts.ts'
import { unmountDevice } from './mount-device.ts'
import type { ProjectQuotas, QuotaPlace } from '../quotas/project-quotas.ts'
import { checkVolumeDriver, checkVolumeName, checkVolumeOptions, isDevice, volumeSize } from './volume-options.ts'

const anonymousLabel = 'com.docker.volume.anonymous'
/** Directories of volumes on their way out, and in; no volume can have such a name. */
const trashFolder = '.removed'
const makingFolder = '.making'
/** Links that tell what is being renamed: the old name to the new one. */
const renamesFolder = '.renamed'

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
  readonly #mounts = new DeviceMounts()

  constructor(parts: VolumeStoreParts) {
    this.#parts = parts
    this.#table = new VolumesTable(parts.db)
    for (const folder of [trashFolder, makingFolder, renamesFolder]) mkdirSync(join(parts.root, folder), { recursive: true, mode: 0o711 })
  }

  /**
   * Makes a volume, or answers the one that has the name already, whatever its labels.
   * @throws EngineError invalid-argument, not-found and not-implemented in Docker's words
   */
  async create({ name, anonymous = name === '', driver, options, labels, owner }: NewVolume): Promise<VolumeView> {
    const chosen = name === '' ? randomBytes(32).toString('hex') : name
    checkVolumeDriver(chosen, driver)
    checkVolumeName(chosen)
    const existing = this.#table.get(chosen)
    if (existing !== undefined) return this.#view(existing)
    checkVolumeOptions(chosen, options, () => this.#parts.quotas.supports(this.#parts.root))
    const all = anonymous ? { ...labels, [anonymousLabel]: '' } : labels
    // The directory first: a row means that all is there. One that a crash left without a row is taken over.
    mkdirSync(join(this.#parts.root, chosen), { recursive: true, mode: 0o711 })
    mkdirSync(this.#directory(chosen), { recursive: true, mode: 0o755 })
    if (owner.uid !== 0 || owner.gid !== 0) chownSync(this.#directory(chosen), owner.uid, owner.gid)
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
    const making = join(this.#parts.root, makingFolder, `${randomUUID()}.${to}`)
    mkdirSync(join(making, '_data'), { recursive: true, mode: 0o711 })
    try {
      await this.using(from, () => this.#parts.workers.run({ kind: 'clone-tree', from: this.#directory(source.name), to: join(making, '_data') }))
      await this.#parts.workers.run({ kind: 'sync', directory: making })
      if (this.has(to)) throw taken(to)
      // The row first: with it, the next start finishes what a crash has broken off here, and without it, undoes it.
      const view = this.#commit(to, labels, {}, false)
      renameSync(making, join(this.#parts.root, to))
      return view
    } finally {
      if (existsSync(making)) this.#trash(making, to)
    }
  }

  /** Gives a volume that nobody uses another name. @throws EngineError not-found, invalid-argument, conflict */
  async rename(from: string, to: string): Promise<VolumeView> {
    this.#get(from)
    checkVolumeName(to)
    if (this.has(to)) throw taken(to)
    const note = join(this.#parts.root, renamesFolder, from)
    symlinkSync(to, note)
    renameSync(join(this.#parts.root, from), join(this.#parts.root, to))
    await this.#sync()
    this.#table.rename(from, to)
    this.#parts.quotas.rename(from, to)
    unlinkSync(note)
    this.#parts.events.publish('volume', 'rename', to, { driver: 'local', oldName: from })
    return this.inspect(to)
  }

  /** Bytes of a volume's files; 0 for one whose files lie elsewhere. */
  async usage(name: string): Promise<number> {
    if (isDevice(this.#get(name).options)) return 0
    return await this.#parts.workers.run({ kind: 'usage', directory: this.#directory(name) })
  }

  /** Mounts a volume that has options. @param user a container's id */
  async use(name: string, user: string): Promise<void> {
    const { options } = this.#get(name)
    if (isDevice(options)) await this.#mounts.use(name, this.#directory(name), options, user)
  }

  async release(name: string, user: string): Promise<void> {
    await this.#mounts.release(name, this.#directory(name), user)
  }

  /** Runs work on a volume's files. */
  async using<T>(name: string, work: () => Promise<T>): Promise<T> {
    const user = randomUUID()
    await this.use(name, user)
    try {
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
    return this.#directory(this.#get(name).name)
  }

  /** Where a volume's files are, which may be held to a size; undefined when there is none of the name. */
  quotaPlace(name: string): QuotaPlace | undefined {
    return this.has(name) ? this.#place(name) : undefined
  }

  #place(name: string): QuotaPlace {
    return { root: this.#parts.root, directories: [this.#directory(name)] }
  }

  isAnonymous(name: string): boolean {
    return this.#table.get(name)?.anonymous ?? false
  }

  async populate(name: string, root: string, path: string): Promise<void> {
    const directory = this.mountpoint(name)
    await this.using(name, async () => {
      if (readdirSync(directory).length > 0) return
      await this.#parts.workers.run({ kind: 'copy-tree', root, path, directory })
    })
  }

  /** Removes a volume and all that is in it, whoever uses it. @throws EngineError not-found */
  async remove(name: string): Promise<void> {
    this.#get(name)
    await this.#discard(name)
    this.#parts.events.publish('volume', 'destroy', name, { driver: 'local' })
  }

  /**
   * At the start: finishes removals and renamings that a crash interrupted, undoes creations, and unmounts what nobody uses.
   * @param inUse names of volumes that running containers have, with the containers' ids
   */
  reconcile(inUse: Iterable<readonly [name: string, user: string]> = []): void {
    const { root } = this.#parts
    for (const [name, user] of inUse) if (isDevice(this.#table.get(name)?.options ?? null)) this.#mounts.adopt(name, user)
    for (const { mountPoint } of mountsBelow(root)) {
      const name = mountPoint.slice(root.length + 1).split('/')[0] ?? ''
      if (!this.#mounts.isUsed(name)) while (unmount(mountPoint, MNT_DETACH | UMOUNT_NOFOLLOW));
    }
    for (const from of readdirSync(join(root, renamesFolder))) this.#finishRename(from)
    for (const name of readdirSync(join(root, makingFolder))) this.#finishClone(join(root, makingFolder, name), name.slice(name.indexOf('.') + 1))
    for (const name of readdirSync(join(root, trashFolder))) {
      const volume = name.slice(name.indexOf('.') + 1)
      if (!existsSync(join(root, volume))) this.#table.delete(volume)
      this.#delete(name)
    }
    const known = this.#table.all()
    const names = new Set([trashFolder, makingFolder, renamesFolder, ...known.map(({ name }) => name)])
    for (const name of readdirSync(root)) if (!names.has(name)) this.#removeEmpty(name)
    for (const { name } of known) {
      if (!existsSync(this.#directory(name))) this.#parts.log('error', { volume: name }, 'the directory of a volume is missing')
    }
  }

  #finishClone(making: string, name: string): void {
    if (this.has(name) && !existsSync(join(this.#parts.root, name))) renameSync(making, join(this.#parts.root, name))
    else this.#trash(making, name)
  }

  #finishRename(from: string): void {
    const note = join(this.#parts.root, renamesFolder, from)
    const to = readlinkSync(note)
    const moved = !existsSync(join(this.#parts.root, from)) && existsSync(join(this.#parts.root, to))
    if (moved && this.#table.get(from) !== undefined) this.#table.rename(from, to)
    if (moved) this.#parts.quotas.rename(from, to)
    unlinkSync(note)
  }

  /** Moves the directory out of sight, takes the row away, and deletes the files in a worker. */
  async #discard(name: string): Promise<void> {
    await unmountDevice(this.#directory(name))
    const trash = `${randomUUID()}.${name}`
    try {
      renameSync(join(this.#parts.root, name), join(this.#parts.root, trashFolder, trash))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    await this.#sync()
    this.#table.delete(name)
    this.#parts.quotas.release({ volume: name }, this.#parts.root)
    this.#delete(trash)
  }

  /** Takes away a directory that never became a volume. @param name anything; not that of a volume without a directory */
  #trash(directory: string, name: string): void {
    const trash = `${randomUUID()}.making-${name}`
    renameSync(directory, join(this.#parts.root, trashFolder, trash))
    this.#delete(trash)
  }

  async #sync(): Promise<void> {
    await using root = await open(this.#parts.root, 'r')
    await root.sync()
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
      Options: row.options === null ? null : { ...row.options },
    }
  }
}

function taken(name: string): EngineError {
  return new EngineError('conflict', `a volume named ${name} already exists`)
}
