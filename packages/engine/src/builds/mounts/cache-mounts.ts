import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { StepMount } from '@engine/build'
import type { FileWorkers } from '@engine/image'
import { procPath } from '@engine/linux/paths'
import { now, rfc3339 } from '../../clock.ts'
import { hostOwner, type Remap } from '../../userns/remap.ts'
import type { CacheMountRow, CacheMountsTable } from './cache-mounts-table.ts'

type CacheMount = Extract<StepMount, { kind: 'cache' }>

/** A cache mount in use; disposed, others may have it. */
export interface HeldMount extends Disposable {
  readonly path: string
}

/** Who has a directory at this moment. */
interface Use {
  count: number
  exclusive: boolean
}

/** The directories of `RUN --mount=type=cache`: kept from build to build, shared or not as each step says. */
export class CacheMounts {
  readonly root: string
  readonly #table: CacheMountsTable
  readonly #workers: FileWorkers
  readonly #remap: Remap | undefined
  readonly #uses = new Map<string, Use>()
  readonly #waiting = new Set<() => void>()

  /** @param remap the ids that steps have on the host */
  constructor(root: string, table: CacheMountsTable, workers: FileWorkers, remap: Remap | undefined) {
    this.root = root
    this.#remap = remap
    this.#table = table
    this.#workers = workers
  }

  /** At the start: directories without a row go (a crash came between), and rows without a directory. */
  async clean(): Promise<void> {
    mkdirSync(this.root, { recursive: true, mode: 0o700 })
    const known = new Set(this.#table.all().map(({ directory }) => directory))
    for (const name of readdirSync(this.root)) if (!known.has(name)) await this.#workers.run({ kind: 'remove', directory: this.root, name })
    for (const directory of known) if (!existsSync(join(this.root, directory))) this.#table.delete(directory)
  }

  /**
   * Takes a directory for a step: `shared` with others, `locked` alone as soon as nobody else has it, `private` one that nobody has.
   * @param signal ends the wait
   */
  async take(mount: CacheMount, signal: AbortSignal): Promise<HeldMount> {
    for (;;) {
      signal.throwIfAborted()
      const kind = kindOf(mount)
      const rows = this.#table.named(mount.id).filter(({ directory }) => directory.slice(0, -32) === kind)
      const free = mount.sharing === 'private' ? rows.find(({ directory }) => !this.#uses.has(directory)) : rows[0]
      if (free === undefined) return this.#hold(await this.#make(mount), mount)
      const use = this.#uses.get(free.directory)
      if (use === undefined || (mount.sharing === 'shared' && !use.exclusive)) return this.#hold(free.directory, mount)
      await this.#change(signal)
    }
  }

  /** What there is, with bytes and whether a step has it. */
  async list(): Promise<(CacheMountRow & { readonly size: number; readonly inUse: boolean })[]> {
    return Promise.all(this.#table.all().map(async (found) => ({ ...found, size: await this.#workers.run({ kind: 'usage', directory: join(this.root, found.directory) }), inUse: this.#uses.has(found.directory) })))
  }

  /** Removes one that no step has. @returns whether it is gone */
  async remove(directory: string): Promise<boolean> {
    if (this.#uses.has(directory)) return false
    this.#table.delete(directory)
    await this.#workers.run({ kind: 'remove', directory: this.root, name: directory })
    return true
  }

  async #make(mount: CacheMount): Promise<string> {
    const name = kindOf(mount) + randomBytes(16).toString('hex')
    const path = join(this.root, name)
    mkdirSync(path, { mode: 0o700 })
    // Others must not take it before it is whole.
    this.#uses.set(name, { count: 0, exclusive: true })
    try {
      if (mount.initial !== undefined) await this.#workers.run({ kind: 'copy-tree', root: procPath(mount.initial), path: '.', directory: path })
      const { uid, gid } = hostOwner(this.#remap, mount)
      chownSync(path, uid, gid)
      chmodSync(path, mount.mode)
      this.#table.insert(name, mount.id, rfc3339(now()))
    } catch (error) {
      await this.#workers.run({ kind: 'remove', directory: this.root, name })
      throw error
    } finally {
      this.#uses.delete(name)
    }
    return name
  }

  #hold(directory: string, { sharing }: CacheMount): HeldMount {
    const use = this.#uses.get(directory) ?? { count: 0, exclusive: false }
    use.count++
    use.exclusive = sharing !== 'shared'
    this.#uses.set(directory, use)
    this.#table.use(directory, rfc3339(now()))
    let released = false
    return {
      path: join(this.root, directory),
      [Symbol.dispose]: () => {
        if (released) return
        released = true
        if (--use.count === 0) this.#uses.delete(directory)
        for (const wake of this.#waiting) wake()
      },
    }
  }

  /** Waits until something is given back. */
  async #change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    this.#waiting.delete(resolve)
  }
}

/** How a cache began, as the name of its directory tells it; empty for most. */
function kindOf({ begins }: CacheMount): string {
  return begins === '' ? '' : `${createHash('sha256').update(begins).digest('hex').slice(0, 16)}-`
}
