import { randomBytes, randomUUID } from 'node:crypto'
import { constants, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { O_PATH, openInRoot, openParent, openRoot, procPath, removeTree } from '@engine/linux/paths'
import { listXattrsOf, removeXattr } from '@engine/linux/xattr'
import type { FileWorkers } from '@engine/image'
import { z } from 'zod'
import type { ContextManifest } from '../interface.ts'

/** Directories that are kept, the last used ones. */
const maxKept = 16
/** Milliseconds that a context waits for its build. */
const patience = 60_000

const index = z.record(z.string(), z.tuple([z.enum(['f', 'd', 'l']), z.string()]))
type Index = z.infer<typeof index>

/** A context that a build may use; disposed, it is kept for the next build of the same directory. */
export interface TakenContext extends AsyncDisposable {
  /** Directory with the files, but for those that the client is still to send. */
  readonly directory: string
  /** Names what the directory holds once it is whole: with the same name it has not changed since. */
  readonly version: string
  /** What the build has taken away of it. */
  forget(paths: readonly string[]): void
}

interface Prepared {
  readonly slot: string
  readonly wanted: Index
  readonly forgotten: Set<string>
  timer: NodeJS.Timeout | undefined
}

/**
 * Contexts of builds, kept from one build of a directory to the next, so that a client sends only what has changed, as with BuildKit.
 * Which files those are the client says by tokens (size, times, inode): a file whose token is the same is not sent again.
 * An index is written when a context is whole and taken away before it is changed: after a crash it is sent anew.
 */
export class ContextStore {
  readonly root: string
  readonly #workers: FileWorkers
  readonly #prepared = new Map<string, Prepared>()
  readonly #busy = new Set<string>()
  /** Of each directory, a name for what is in it at this moment. */
  readonly #versions = new Map<string, string>()

  constructor(root: string, workers: FileWorkers) {
    this.root = root
    this.#workers = workers
  }

  /** At the start: what has no index goes, and what has not been used for longest. */
  async clean(): Promise<void> {
    mkdirSync(this.root, { recursive: true, mode: 0o700 })
    for (const { slot } of this.#slots().filter(({ used }, at) => used === 0 || at >= maxKept)) await this.#remove(slot)
  }

  /** Bytes and last use of what is kept, for the list of the cache. */
  async list(): Promise<{ readonly slot: string; readonly size: number; readonly used: Date; readonly inUse: boolean }[]> {
    return Promise.all(this.#slots().filter(({ used }) => used > 0).map(async ({ slot, used }) => {
      const size = await this.#workers.run({ kind: 'usage', directory: join(this.root, slot, 'files') })
      return { slot, size, used: new Date(used), inUse: this.#busy.has(slot) }
    }))
  }

  /** Removes one that no build has. @returns whether it is gone */
  async drop(slot: string): Promise<boolean> {
    if (this.#busy.has(slot)) return false
    await this.#remove(slot)
    return true
  }

  /**
   * Makes a kept directory ready for a client's files: what it does not have any more is removed.
   * @returns numbers of the entries that it is to send
   * @throws EngineError invalid-argument for a path that is none
   */
  async prepare({ key, entries }: ContextManifest): Promise<{ readonly Id: string; readonly Need: number[] }> {
    if (!/^[0-9a-f]{64}$/.test(key)) throw new EngineError('invalid-argument', 'invalid key of a build context')
    for (const [path] of entries) refuseUnlessRelative(path)
    const slot = await this.#free(key)
    try {
      const known = this.#read(slot)
      const files = join(this.root, slot, 'files')
      mkdirSync(files, { recursive: true, mode: 0o755 })
      const wanted: Index = Object.fromEntries(entries.map(([path, kind, token]) => [path, [kind, token]]))
      const gone = Object.entries(known).filter(([path, [kind]]) => wanted[path]?.[0] !== kind).map(([path]) => path)
      const changed = entries.map((entry, at) => ({ entry, at })).filter(({ entry: [path, , token] }) => known[path]?.[1] !== token || gone.includes(path))
      // Directories get their times last, which everything that changes in them touches.
      const need = gone.length + changed.length === 0 ? [] : entries.flatMap(([, kind], at) => (kind === 'd' ? [at] : []))
      const all = [...new Set([...need, ...changed.map(({ at }) => at)])].toSorted((a, b) => a - b)
      if (all.length > 0 || gone.length > 0) {
        rmSync(this.#indexOf(slot), { force: true })
        this.#versions.delete(slot)
        removePaths(files, gone)
        // What is sent of a directory is added to what it has.
        clearAttributes(files, changed.flatMap(({ entry: [path, kind] }) => (kind === 'd' ? [path] : [])))
      }
      const Id = randomBytes(32).toString('hex')
      const prepared: Prepared = { slot, wanted, forgotten: new Set(), timer: undefined }
      prepared.timer = setTimeout(() => this.#abandon(Id, prepared), patience)
      prepared.timer.unref()
      this.#prepared.set(Id, prepared)
      return { Id, Need: all }
    } catch (error) {
      this.#busy.delete(slot)
      throw error
    }
  }

  /** Hands a context to its build. @throws EngineError not-found */
  take(id: string): TakenContext & { readonly whole: () => void } {
    const prepared = this.#prepared.get(id)
    if (prepared === undefined) throw new EngineError('not-found', 'no such build context: it was used, or has waited too long')
    clearTimeout(prepared.timer)
    this.#prepared.delete(id)
    const { slot, wanted, forgotten } = prepared
    let whole = false
    const version = this.#versions.get(slot) ?? randomUUID()
    this.#versions.set(slot, version)
    return {
      directory: join(this.root, slot, 'files'),
      version,
      whole: () => void (whole = true),
      forget: (paths) => {
        for (const path of paths) forgotten.add(path)
        this.#versions.delete(slot)
      },
      [Symbol.asyncDispose]: async () => {
        try {
          if (!whole) this.#versions.delete(slot)
          if (whole) this.#write(slot, Object.fromEntries(Object.entries(wanted).filter(([path]) => !forgotten.has(path))))
          else rmSync(this.#indexOf(slot), { force: true })
        } finally {
          this.#busy.delete(slot)
        }
      },
    }
  }

  /** A directory for a key that no other build has at this moment. */
  async #free(key: string): Promise<string> {
    for (let number = 0; ; number++) {
      const slot = `${key}-${number}`
      if (this.#busy.has(slot)) continue
      this.#busy.add(slot)
      // What a crash or a failed transfer has left may be anything.
      if (!existsSync(this.#indexOf(slot)) && existsSync(join(this.root, slot))) await this.#remove(slot)
      mkdirSync(join(this.root, slot), { recursive: true, mode: 0o700 })
      return slot
    }
  }

  #abandon(id: string, { slot }: Prepared): void {
    this.#prepared.delete(id)
    this.#busy.delete(slot)
  }

  #read(slot: string): Index {
    const file = this.#indexOf(slot)
    return existsSync(file) ? index.parse(JSON.parse(readFileSync(file, 'utf8'))) : {}
  }

  #write(slot: string, wanted: Index): void {
    const file = this.#indexOf(slot)
    const text = JSON.stringify(wanted)
    if (existsSync(file) && readFileSync(file, 'utf8') === text) {
      utimesSync(file, new Date(), new Date())
      return
    }
    writeFileSync(`${file}.new`, text, { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }

  #indexOf(slot: string): string {
    return join(this.root, slot, 'index.json')
  }

  /** What is there, the last used first; `used` 0 is not whole. */
  #slots(): { readonly slot: string; readonly used: number }[] {
    return readdirSync(this.root)
      .map((slot) => ({ slot, used: statSync(this.#indexOf(slot), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
      .toSorted((a, b) => b.used - a.used)
  }

  async #remove(slot: string): Promise<void> {
    this.#versions.delete(slot)
    await this.#workers.run({ kind: 'remove', directory: this.root, name: slot })
  }
}

/** @throws EngineError invalid-argument */
function refuseUnlessRelative(path: string): void {
  const bad = path === '' || path.length > 4096 || path.includes('\0') || path.split('/').some((part) => part === '' || part === '.' || part === '..')
  if (bad) throw new EngineError('invalid-argument', `invalid path in a build context: ${JSON.stringify(path)}`)
}

/** Removes paths that a client has named, by descriptors: a link of the context's leads nowhere outside. */
function removePaths(directory: string, paths: readonly string[]): void {
  using root = openRoot(directory)
  for (const path of paths) {
    try {
      using parent = openParent(root.fd, path)
      removeTree(parent.directory.fd, parent.name)
    } catch (error) {
      // It went with a directory above it.
      if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) throw error
    }
  }
}

/** Takes extended attributes from directories that are there. */
function clearAttributes(directory: string, paths: readonly string[]): void {
  using root = openRoot(directory)
  for (const path of paths) {
    try {
      using found = openInRoot(root.fd, path, O_PATH | constants.O_DIRECTORY)
      for (const name of listXattrsOf(found.fd)) if (name.startsWith('user.')) removeXattr(`${procPath(found.fd)}/.`, Buffer.from(name, 'latin1'))
    } catch (error) {
      // It is a new one.
      if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) throw error
    }
  }
}
