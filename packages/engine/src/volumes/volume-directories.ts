import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { FileWorkers } from '@engine/image'
import type { EngineOptions } from '../interface.ts'

/** Directories of volumes on their way out, and in; no volume can have such a name. */
export const trashFolder = '.removed'
export const makingFolder = '.making'
/** Links that tell what is being renamed: the old name to the new one. */
export const renamesFolder = '.renamed'

/** Where volumes' files are: volumes/<name>/_data, and those of volumes that come and go. */
export class VolumeDirectories {
  readonly #root: string
  readonly #workers: FileWorkers
  readonly #log: EngineOptions['log']

  /** Makes the folders for what comes and goes. @param parts.root the directory `volumes` */
  constructor({ root, workers, log }: { readonly root: string; readonly workers: FileWorkers; readonly log: EngineOptions['log'] }) {
    this.#root = root
    this.#workers = workers
    this.#log = log
    for (const folder of [trashFolder, makingFolder, renamesFolder]) mkdirSync(join(root, folder), { recursive: true, mode: 0o711 })
  }

  directory(name: string): string {
    return join(this.#root, name, '_data')
  }

  /** Moves a volume's directory out of sight, if it is there. @returns what {@link delete} wants */
  moveAway(name: string): string {
    const trash = randomUUID()
    mkdirSync(join(this.#root, trashFolder, trash), { mode: 0o711 })
    try {
      renameSync(join(this.#root, name), join(this.#root, trashFolder, trash, name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    return trash
  }

  /** A directory for what is to become a volume's: `<it>/<name>`. A name may be as long as any, so nothing is put before it. */
  beginMaking(): string {
    const making = join(this.#root, makingFolder, randomUUID())
    mkdirSync(making, { mode: 0o711 })
    return making
  }

  /** Takes away what never became a volume, or what is left when it did. */
  discard(making: string): void {
    const trash = basename(making)
    renameSync(making, join(this.#root, trashFolder, trash))
    this.delete(trash)
  }

  /** Deletes what was moved away, in a worker. */
  delete(trash: string): void {
    const directory = join(this.#root, trashFolder)
    this.#workers
      .run({ kind: 'remove', directory, name: trash })
      .catch((error: unknown) => this.#log('warn', { path: join(directory, trash), error: String(error) }, 'a directory could not be deleted'))
  }

  async sync(): Promise<void> {
    await using root = await open(this.#root, 'r')
    await root.sync()
  }

  /** Removes the directory of a volume that was never noted. Files in it are somebody's, who put them there without us. */
  removeEmpty(name: string): void {
    try {
      for (const directory of [this.directory(name), join(this.#root, name)]) if (existsSync(directory)) rmdirSync(directory)
    } catch (error) {
      this.#log('warn', { path: join(this.#root, name), error: String(error) }, 'a directory among the volumes belongs to none')
    }
  }
}
