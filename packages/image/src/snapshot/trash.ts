import { randomUUID } from 'node:crypto'
import { renameSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileWorkers } from '../worker/pool.ts'
import { trashFolder } from './layout.ts'

/** Trees on their way out: a directory is gone when it was thrown away, and a worker deletes its files afterwards. */
export class Trash {
  readonly #folder: string
  readonly #workers: FileWorkers
  readonly #onError: (path: string, error: unknown) => void
  readonly #removals = new Set<Promise<void>>()

  /**
   * @param root    the directory `overlay2`
   * @param onError told of trees that could not be deleted; they are tried again at the next start
   */
  constructor(root: string, workers: FileWorkers, onError: (path: string, error: unknown) => void) {
    this.#folder = join(root, trashFolder)
    this.#workers = workers
    this.#onError = onError
  }

  /** Makes the folder, and goes on deleting what is still in it. */
  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.#folder)) this.#delete(name)
  }

  /** Moves a directory out of sight and deletes it in a worker; nothing happens when it does not exist. */
  throwAway(directory: string): void {
    const name = randomUUID()
    try {
      renameSync(directory, join(this.#folder, name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    this.#delete(name)
  }

  /** Waits until everything is deleted. */
  async settled(): Promise<void> {
    while (this.#removals.size > 0) await Promise.all(this.#removals)
  }

  #delete(name: string): void {
    const work = this.#workers
      .run({ kind: 'remove', directory: this.#folder, name })
      .catch((error: unknown) => this.#onError(join(this.#folder, name), error))
      .finally(() => this.#removals.delete(work))
    this.#removals.add(work)
  }
}
