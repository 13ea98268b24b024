import { constants, fchmodSync, fchownSync, fstatSync, ftruncateSync, writeSync } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { chownat, futimens, linkDescriptor, makeDevice, mkdirat, mknodat, symlinkat, unlinkat, utimensat } from '@engine/linux/file-at'
import { chmodDescriptor, openChild, O_PATH, procChild, removeTree, type Descriptor } from '@engine/linux/paths'
import { setXattr, setXattrOf } from '@engine/linux/xattr'
import { describeDirectory, describeLinked, hideLower, setXattrs } from './entry-metadata.ts'
import { joinComponents, splitEntryPath } from './entry-path.ts'
import { cloned, contentOf } from './file-content.ts'
import type { TarEntry, TarLimits } from './tar/entry.ts'
import type { TarHandler } from './tar/reader.ts'
import { directoryFlags, placesBelow, type TreePlaces } from './tree-places.ts'
import { whiteoutOf } from './whiteout.ts'

export interface TreeWriterOptions {
  /** Whether `.wh.` names are whiteouts (a layer) or plain names (a build context, an archive for a container). */
  readonly whiteouts: boolean
  /** Whether character and block devices may be made. */
  readonly devices: boolean
  readonly limits: TarLimits
  /** Who owns what is made; without it, whom the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /** Without it, names are resolved by openat2 with the directory as root. */
  readonly places?: TreePlaces
}

const fileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL
const { S_IFIFO, S_IFCHR, S_IFBLK } = constants

/**
 * Makes an archive's entries in a directory. Every name is resolved by openat2 with the directory as root, so that no link, `..`
 * or absolute name reaches what is outside. All calls are synchronous: it belongs in a worker, or around small archives.
 */
export class TreeWriter implements TarHandler, Disposable {
  readonly #root: number
  readonly #options: TreeWriterOptions
  readonly #places: TreePlaces
  /** The directory of the last entry: archives list a directory's entries one after the other. */
  #parent: { readonly key: string; readonly directory: Descriptor } | undefined
  #file: { readonly entry: TarEntry; readonly descriptor: Descriptor; end: number } | undefined
  /** Times of directories are set when nothing is made in them any more. */
  readonly #directoryTimes = new Map<string, { readonly path: Buffer; readonly mtime: bigint }>()

  #size: number | undefined = 0

  /** @param rootFd descriptor of the directory, from `openRoot`; the caller keeps it open */
  constructor(rootFd: number, options: TreeWriterOptions) {
    this.#root = rootFd
    this.#options = options
    this.#places = options.places ?? placesBelow(rootFd)
  }

  /** Bytes of the files made, as `treeUsage` counts them; undefined when something was replaced and only counting tells. */
  get size(): number | undefined {
    return this.#size
  }

  entry(entry: TarEntry): void {
    try {
      this.#entry(this.#options.owner === undefined ? entry : { ...entry, ...this.#options.owner })
    } catch (error) {
      // What the kernel says of the archive's names, not of this machine.
      if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP, Errno.ENAMETOOLONG)) throw error
      const to = entry.type === 'hardlink' ? ` (a link to ${JSON.stringify(entry.linkPath.toString())})` : ''
      throw new EngineError('invalid-argument', `${JSON.stringify(entry.path.toString())}${to} of the archive cannot be made: ${(error as Error).message}`, { cause: error })
    }
  }

  #entry(entry: TarEntry): void {
    for (const id of [entry.uid, entry.gid]) {
      // 2^32-1 would mean "leave it" to chown(2).
      if (id < 0 || id >= 2 ** 32 - 1) throw new EngineError('invalid-argument', `invalid owner ${id} of ${JSON.stringify(entry.path.toString())} in the archive`)
    }
    const components = splitEntryPath(entry.path, this.#options.limits.depth)
    const name = components.at(-1)
    if (name === undefined) {
      if (entry.type === 'directory') this.#describeRoot(entry)
      return
    }
    const parent = this.#openParent(components.slice(0, -1))
    const whiteout = this.#options.whiteouts ? whiteoutOf(name) : ({ kind: 'none' } as const)
    if (whiteout.kind === 'opaque') {
      hideLower(parent)
      // The root has no entry where it is as usual; a tar made again shows its time here.
      if (components.length === 1 && !this.#directoryTimes.has('')) this.#directoryTimes.set('', { path: dot, mtime: entry.mtime })
    } else if (whiteout.kind === 'whiteout') this.#whiteout(parent, whiteout.name, entry)
    else if (whiteout.kind === 'none') this.#make(parent, name, entry, components)
  }

  content(chunk: Buffer, offset: number): void {
    const file = this.#file
    if (file === undefined) return
    for (let done = 0; done < chunk.length; ) done += writeSync(file.descriptor.fd, chunk, done, chunk.length - done, offset + done)
    file.end = offset + chunk.length
  }

  /**
   * Makes a file entry with the content of an open file, which shares its blocks where the file system can (ioctl_ficlone(2)).
   * @param fd open for reading
   */
  copyFile(entry: TarEntry, fd: number): void {
    this.entry(entry)
    const file = this.#file
    if (file !== undefined && cloned(file.descriptor.fd, fd)) file.end = entry.size
    else for (const [piece, offset] of contentOf(fd, entry.size)) this.content(piece, offset)
    this.finish()
  }

  finish(): void {
    const file = this.#file
    if (file === undefined) return
    using descriptor = file.descriptor
    this.#file = undefined
    // A hole at the end.
    if (file.end < file.entry.size) ftruncateSync(descriptor.fd, file.entry.size)
    fchownSync(descriptor.fd, file.entry.uid, file.entry.gid)
    // After chown, which clears setuid bits and capabilities.
    fchmodSync(descriptor.fd, file.entry.mode)
    setXattrs(file.entry, (name, value) => setXattrOf(descriptor.fd, name, value))
    futimens(descriptor.fd, file.entry.atime ?? file.entry.mtime, file.entry.mtime)
  }

  /** All entries were read: sets the times of directories, deepest first. */
  end(): void {
    const all = [...this.#directoryTimes.values()].sort((a, b) => b.path.length - a.path.length)
    for (const { path, mtime } of all) {
      try {
        using directory = this.#places.open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
        futimens(directory.fd, mtime, mtime)
      } catch (error) {
        // A later entry took its place.
        if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) throw error
      }
    }
    this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.#file?.descriptor.close()
    this.#file = undefined
    this.#forgetParent()
  }

  #make(parent: number, name: Buffer, entry: TarEntry, components: readonly Buffer[]): void {
    if (entry.type === 'directory') return this.#makeDirectory(parent, name, entry, components)
    if ((entry.type === 'char' || entry.type === 'block') && !this.#options.devices) {
      throw new EngineError('invalid-argument', `the archive holds a device: ${JSON.stringify(entry.path.toString())}`)
    }
    if (this.#size !== undefined && entry.type !== 'hardlink') this.#size += entry.type === 'symlink' ? entry.linkPath.length : entry.size
    try {
      this.#makeNode(parent, name, entry)
    } catch (error) {
      if (!failedWith(error, Errno.EEXIST)) throw error
      this.#places.beforeReplacing(parent, name, entry)
      remove(parent, name)
      this.#size = undefined
      this.#makeNode(parent, name, entry)
      // What was removed may have been a link on the way to this very directory.
      this.#forgetParent()
    }
  }

  #makeNode(parent: number, name: Buffer, entry: TarEntry): void {
    switch (entry.type) {
      case 'file':
        this.#file = { entry, descriptor: openChild(parent, name, fileFlags, 0o600), end: 0 }
        return
      case 'hardlink':
        return this.#link(entry, parent, name)
      case 'symlink':
        symlinkat(entry.linkPath, parent, name)
        break
      case 'fifo':
        mknodat(parent, name, S_IFIFO | 0o600, 0n)
        break
      default:
        mknodat(parent, name, (entry.type === 'char' ? S_IFCHR : S_IFBLK) | 0o600, makeDevice(entry.deviceMajor, entry.deviceMinor))
    }
    chownat(parent, name, entry.uid, entry.gid)
    if (entry.type !== 'symlink') {
      using node = openChild(parent, name, O_PATH)
      chmodDescriptor(node.fd, entry.mode)
    }
    setXattrs(entry, (attribute, value) => setXattr(procChild(parent, name), attribute, value))
    utimensat(parent, name, entry.atime ?? entry.mtime, entry.mtime)
  }

  #makeDirectory(parent: number, name: Buffer, entry: TarEntry, components: readonly Buffer[]): void {
    let hides = false
    try {
      mkdirat(parent, name, 0o700)
    } catch (error) {
      if (!failedWith(error, Errno.EEXIST)) throw error
      using existing = openChild(parent, name, O_PATH)
      const stats = fstatSync(existing.fd)
      if (!stats.isDirectory()) {
        // A whiteout and a directory of one name in one layer: the lower one goes, and this takes its place.
        hides = this.#options.whiteouts && stats.isCharacterDevice() && stats.rdev === 0
        this.#places.beforeReplacing(parent, name, entry)
        remove(parent, name)
        this.#size = undefined
        mkdirat(parent, name, 0o700)
      }
    }
    using directory = this.#places.enter(parent, name)
    if (hides) hideLower(directory.fd)
    describeDirectory(directory.fd, entry)
    const path = joinComponents(components)
    this.#directoryTimes.set(path.toString('latin1'), { path, mtime: entry.mtime })
  }

  #describeRoot(entry: TarEntry): void {
    describeDirectory(this.#root, entry)
    this.#directoryTimes.set('', { path: dot, mtime: entry.mtime })
  }

  #link(entry: TarEntry, parent: number, name: Buffer): void {
    const target = splitEntryPath(entry.linkPath, this.#options.limits.depth)
    const targetName = target.at(-1)
    if (targetName === undefined) throw new EngineError('invalid-argument', `invalid hard link in the archive: ${JSON.stringify(entry.path.toString())}`)
    using directory = this.#places.open(joinComponents(target.slice(0, -1)), directoryFlags)
    // The file itself is linked and described, whatever takes its name meanwhile.
    using file = openChild(directory.fd, targetName, O_PATH)
    const stats = fstatSync(file.fd, { bigint: true })
    if (stats.isDirectory()) throw new EngineError('invalid-argument', `invalid hard link in the archive: ${JSON.stringify(entry.path.toString())} is to a directory`)
    linkDescriptor(file.fd, parent, name)
    describeLinked(file.fd, stats, entry, parent, name)
  }

  #whiteout(parent: number, name: Buffer, entry: TarEntry): void {
    if (name.length === 0 || name.equals(dot) || name.equals(dots)) {
      throw new EngineError('invalid-argument', `invalid whiteout in the layer: ${JSON.stringify(entry.path.toString())}`)
    }
    try {
      mknodat(parent, name, S_IFCHR, 0n)
      chownat(parent, name, entry.uid, entry.gid)
      // The tar that is made again of the layer has it.
      utimensat(parent, name, entry.mtime, entry.mtime)
    } catch (error) {
      if (!failedWith(error, Errno.EEXIST)) throw error
      // It takes away what lower layers have, and this layer's own entry stays; a directory then shows nothing from below.
      using existing = openChild(parent, name, O_PATH)
      if (fstatSync(existing.fd).isDirectory()) hideLower(existing.fd)
    }
  }

  /** The directory that an entry is made in, with all above it that the archive does not list. Valid until the next entry. */
  #openParent(components: readonly Buffer[]): number {
    const path = joinComponents(components)
    const key = path.toString('latin1')
    if (this.#parent?.key === key) return this.#parent.directory.fd
    this.#forgetParent()
    const directory = this.#places.makeAll(path)
    this.#parent = { key, directory }
    return directory.fd
  }

  #forgetParent(): void {
    this.#parent?.directory.close()
    this.#parent = undefined
  }
}

/** Takes away what stands in an entry's place. */
function remove(parent: number, name: Buffer): void {
  try {
    unlinkat(parent, name)
  } catch (error) {
    if (!failedWith(error, Errno.EISDIR, Errno.EPERM)) throw error
    removeTree(parent, name)
  }
}

const dot = Buffer.from('.')
const dots = Buffer.from('..')
