import { constants, fstatSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { openChild, openInRoot, O_PATH, reopen, type Descriptor } from '@engine/linux/paths'
import { splitComponents, splitEntryPath } from '../layer/entry-path.ts'
import { defaultLimits, type TarEntry, type TarLimits } from '../layer/tar/entry.ts'
import { readTar } from '../layer/tar/read.ts'
import type { TarHandler } from '../layer/tar/reader.ts'
import type { TreePlaces } from '../layer/tree-places.ts'
import { TreeWriter } from '../layer/tree-writer.ts'
import { asRootOf, ownedOnHost } from './ids.ts'
import type { ViewSpec } from './spec.ts'
import type { Place, View } from './view.ts'

export interface ViewExtractOptions {
  /** A directory is not replaced by something else, nor something else by a directory. */
  readonly keepKinds: boolean
  /** Who owns what is made; without it, whom the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /** The tar's entry for its own root, where it has one, is the directory's: owner, mode and time. Without it that is passed over, as by `docker cp`. */
  readonly root?: boolean
  readonly limits?: TarLimits | undefined
}

const directoryFlags = O_PATH | constants.O_DIRECTORY

/**
 * Makes a tar's entries in a directory of a container, in its volumes too, with links followed as the container would.
 * @param path   the directory; a link at its end is followed
 * @param chunks the tar, compressed or not; nothing at all is an empty one
 * @throws EngineError invalid-argument in Docker's words; SyscallError ENOENT, ENOTDIR, ELOOP
 */
export async function extractIntoView(view: View, path: Buffer, chunks: AsyncIterable<Buffer>, options: ViewExtractOptions, signal: AbortSignal): Promise<void> {
  using directory = view.resolve(path, true)
  if (!directory.stats.isDirectory()) throw new EngineError('invalid-argument', 'extraction point is not a directory')
  if (view.isReadOnly(directory.tree)) {
    throw new EngineError('invalid-argument', directory.tree === 0 ? 'container rootfs is marked read-only' : 'mounted volume is marked read-only')
  }
  const places = new ViewPlaces(view, directory, options.keepKinds)
  const limits = options.limits ?? defaultLimits
  using writer = new TreeWriter(directory.fd, { whiteouts: false, devices: true, limits, places })
  await readTar(chunks, new CopiedEntries(writer, options, view.ids), limits, signal)
  asRootOf(view.ids, () => writer.end())
}

/** Entries as they are copied: not the directory that they are copied into, unless that is wanted, and with an owner of the caller's. */
class CopiedEntries implements TarHandler {
  readonly #writer: TreeWriter
  readonly #options: Pick<ViewExtractOptions, 'owner' | 'root'>
  readonly #ids: ViewSpec['ids']
  #skipped = false

  constructor(writer: TreeWriter, options: Pick<ViewExtractOptions, 'owner' | 'root'>, ids: ViewSpec['ids']) {
    this.#writer = writer
    this.#ids = ids
    this.#options = options
  }

  entry(entry: TarEntry): void {
    const { owner, root = false } = this.#options
    this.#skipped = isTop(entry.path) && !root
    if (this.#skipped) return
    const owned = ownedOnHost(owner === undefined ? entry : { ...entry, ...owner }, this.#ids)
    asRootOf(this.#ids, () => this.#writer.entry(owned))
  }

  content(chunk: Buffer, offset: number): void {
    if (!this.#skipped) this.#writer.content(chunk, offset)
  }

  finish(): void {
    if (!this.#skipped) asRootOf(this.#ids, () => this.#writer.finish())
  }
}

function isTop(path: Buffer): boolean {
  try {
    return splitEntryPath(path, defaultLimits.depth).length === 0
  } catch (cause) {
    const outside = splitComponents(path).some((name) => name.equals(dots))
    throw outside ? new EngineError('invalid-argument', `invalid entry name ${JSON.stringify(path.toString())}`, { cause }) : cause
  }
}

/** A directory of a view for a {@link TreeWriter}: what is made below a mount point is made in what is mounted there. */
class ViewPlaces implements TreePlaces {
  readonly #view: View
  readonly #base: Place
  readonly #keepKinds: boolean
  /** The tree of the directory that `makeAll` gave last. */
  #tree: number

  constructor(view: View, base: Place, keepKinds: boolean) {
    this.#view = view
    this.#base = base
    this.#keepKinds = keepKinds
    this.#tree = base.tree
  }

  makeAll(path: Buffer): Descriptor {
    using place = this.#view.makeAll(splitComponents(path), this.#base.path)
    this.#refuseReadOnly(place.tree)
    this.#tree = place.tree
    return reopen(place.fd, directoryFlags)
  }

  open(path: Buffer, flags: number): Descriptor {
    using place = this.#view.resolve(path, false, this.#base.path)
    this.#refuseReadOnly(place.tree)
    return openInRoot(place.fd, '', flags & ~constants.O_NOFOLLOW)
  }

  enter(parentFd: number, name: Buffer): Descriptor {
    const found = openChild(parentFd, name, directoryFlags)
    const cover = this.#view.coverOf(this.#tree, fstatSync(found.fd, { bigint: true }))
    if (cover === undefined) return found
    found.close()
    this.#refuseReadOnly(cover.tree)
    return reopen(cover.fd, directoryFlags)
  }

  beforeReplacing(parentFd: number, name: Buffer, entry: TarEntry): void {
    const shown = splitComponents(entry.path).join('/')
    using existing = openChild(parentFd, name, O_PATH)
    const stats = fstatSync(existing.fd, { bigint: true })
    const into = `/${Buffer.concat(this.#base.path.flatMap((component, index) => (index === 0 ? [component] : [slash, component]))).toString()}`
    if (this.#keepKinds && stats.isDirectory() && entry.type !== 'directory') {
      throw new EngineError('invalid-argument', `cannot overwrite directory ${JSON.stringify(shown)} with non-directory ${JSON.stringify(into)}`)
    }
    if (this.#keepKinds && !stats.isDirectory() && entry.type === 'directory') {
      throw new EngineError('invalid-argument', `cannot overwrite non-directory ${JSON.stringify(shown)} with directory ${JSON.stringify(into)}`)
    }
    if (this.#view.holdsMount(this.#tree, stats)) throw new EngineError('conflict', `RemoveAll ${shown}: device or resource busy`)
  }

  #refuseReadOnly(tree: number): void {
    if (this.#view.isReadOnly(tree)) throw new EngineError('invalid-argument', tree === 0 ? 'container rootfs is marked read-only' : 'mounted volume is marked read-only')
  }
}

const dots = Buffer.from('..')
const slash = Buffer.from('/')
