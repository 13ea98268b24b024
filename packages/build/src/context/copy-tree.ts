import { constants, copyFileSync, fstatSync, type BigIntStats } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { chownat, linkDescriptor, mkdirat, mknodat, readlinkat, symlinkat, unlinkIfThere, utimensat } from '@engine/linux/file-at'
import { chmodDescriptor, listDirectory, openChild, O_PATH, procChild, procPath, type Descriptor } from '@engine/linux/paths'
import { setXattr } from '@engine/linux/xattr'
import { copiedXattrs } from './copied-xattrs.ts'
import type { Selection } from './selection.ts'

/** What a copy gets instead of what its source has. */
export interface CopyAttributes {
  /** Undefined keeps each file's. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  /** Computes permission bits from a source's. */
  readonly mode: (mode: number, directory: boolean) => number
}

/** A part of a directory. */
export interface Part {
  readonly selection: Selection
  /** The directory's own path within the selection, with a slash at its end; empty is the top. */
  readonly above: string
}

/** Files up to this size are copied at once; for larger ones other work goes on meanwhile. */
const smallFile = 256 << 10
/** Milliseconds after which other work gets its turn. */
const turn = 5
/** The data shares its blocks with the source where the file system can do that. The name must not exist. */
const cloning = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE
/** Files with several names that are remembered, so that their copies are one file, too. */
const maxLinks = 4096

/** Copies files and directories from descriptor to descriptor; no link on either side is followed. */
export class TreeCopier implements Disposable {
  readonly #attributes: CopyAttributes
  readonly #signal: AbortSignal
  readonly #links = new Map<string, Descriptor>()
  #began = performance.now()

  constructor(attributes: CopyAttributes, signal: AbortSignal) {
    this.#attributes = attributes
    this.#signal = signal
  }

  /**
   * Copies what a directory holds into another: directories are merged, files and links replace each other. A directory is never
   * replaced, nor does one take the place of a file or a link: that would lose what the image has there (`/lib` is a link in many).
   * @param part  what of it is copied; undefined is everything
   * @param fresh the directory was made just now: there is nothing to replace
   * @throws EngineError invalid-argument in BuildKit's words when one is in the way of the other
   */
  async copyContent(fromFd: number, toFd: number, part?: Part, fresh = false): Promise<void> {
    for (const name of listDirectory(fromFd)) {
      const relative = (part?.above ?? '') + name.toString('latin1')
      if (part?.selection.has(relative) === false) continue
      using from = openChild(fromFd, name, O_PATH)
      const copying = this.#copy(from.fd, toFd, name, part && { ...part, above: `${relative}/` }, fresh)
      if (copying !== undefined) await copying
      if (performance.now() - this.#began <= turn) continue
      await setImmediate()
      this.#began = performance.now()
    }
  }

  /** Copies what a descriptor refers to, under a name of a directory. */
  async copyDescriptor(fd: number, toFd: number, name: Buffer | string, part?: Part): Promise<void> {
    await this.#copy(fd, toFd, name, part, false)
  }

  /** @returns undefined when it is done already, which for most files it is: a promise for each would cost as much as the copy */
  #copy(fd: number, toFd: number, name: Buffer | string, part: Part | undefined, fresh: boolean): Promise<void> | undefined {
    this.#signal.throwIfAborted()
    const stat = fstatSync(fd, { bigint: true })
    if (stat.isDirectory()) return this.#directory(fd, stat, toFd, name, part, fresh)
    // Sockets belong to the process that listens.
    if (stat.isSocket()) return undefined
    if (!fresh) unlink(toFd, name)
    if (this.#link(stat, toFd, name)) return undefined
    if (stat.isFile()) return this.#file(fd, stat, toFd, name)
    if (stat.isSymbolicLink()) symlinkat(readlinkat(fd, ''), toFd, name)
    else mknodat(toFd, name, Number(stat.mode & BigInt(constants.S_IFMT)) | 0o600, stat.rdev)
    this.#describe(fd, stat, toFd, name)
    this.#remember(stat, toFd, name)
    return undefined
  }

  #file(fd: number, stat: BigIntStats, toFd: number, name: Buffer | string): Promise<void> | undefined {
    const made = (): void => {
      this.#describe(fd, stat, toFd, name)
      this.#remember(stat, toFd, name)
    }
    const to = procChild(toFd, name)
    if (stat.size > smallFile) return copyFile(procPath(fd), to, cloning).then(made)
    copyFileSync(procPath(fd), to, cloning)
    made()
    return undefined
  }

  #remember(stat: BigIntStats, toFd: number, name: Buffer | string): void {
    if (stat.nlink > 1n && this.#links.size < maxLinks) this.#links.set(`${stat.dev}:${stat.ino}`, openChild(toFd, name, O_PATH))
  }

  /** Makes a directory as another is, without what that holds, unless there is one. @returns it */
  makeDirectory(fd: number, toFd: number, name: Buffer | string): Descriptor {
    const existing = openDirectory(toFd, name)
    if (existing !== undefined) return existing
    mkdirat(toFd, name, 0o700)
    this.#describe(fd, fstatSync(fd, { bigint: true }), toFd, name)
    return openChild(toFd, name, O_PATH | constants.O_DIRECTORY)
  }

  async #directory(fd: number, stat: BigIntStats, toFd: number, name: Buffer | string, part: Part | undefined, fresh: boolean): Promise<void> {
    const existing = fresh ? undefined : openDirectory(toFd, name)
    if (existing === undefined) mkdirat(toFd, name, 0o700)
    {
      using made = existing ?? openChild(toFd, name, O_PATH | constants.O_DIRECTORY)
      await this.copyContent(fd, made.fd, part, existing === undefined)
    }
    this.#describe(fd, stat, toFd, name)
  }

  /** Makes another name of a file that was copied under its first. */
  #link(stat: BigIntStats, toFd: number, name: Buffer | string): boolean {
    const copied = stat.nlink > 1n ? this.#links.get(`${stat.dev}:${stat.ino}`) : undefined
    if (copied === undefined) return false
    linkDescriptor(copied.fd, toFd, name)
    return true
  }

  /** Owner first: a change of it clears setuid bits and capabilities. */
  #describe(fromFd: number, stat: BigIntStats, toFd: number, name: Buffer | string): void {
    const { owner, mode } = this.#attributes
    chownat(toFd, name, owner?.uid ?? Number(stat.uid), owner?.gid ?? Number(stat.gid))
    const before = Number(stat.mode & 0o7777n)
    const bits = mode(before, stat.isDirectory())
    // A copied file has its source's bits already, and keeps those that chown(2) does not clear.
    const kept = stat.isFile() && bits === before && (bits & 0o6000) === 0
    if (!stat.isSymbolicLink() && !kept) {
      using made = openChild(toFd, name, O_PATH)
      chmodDescriptor(made.fd, bits)
    }
    if (stat.isFile() || stat.isDirectory()) for (const [attribute, value] of copiedXattrs(fromFd)) setXattr(procChild(toFd, name), attribute, value)
    utimensat(toFd, name, stat.atimeNs, stat.mtimeNs)
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#links.values()) descriptor.close()
    this.#links.clear()
  }
}

/** Opens a directory that is there; undefined when nothing is. */
function openDirectory(dirFd: number, name: Buffer | string): Descriptor | undefined {
  try {
    return openChild(dirFd, name, O_PATH | constants.O_DIRECTORY)
  } catch (error) {
    if (failedWith(error, Errno.ENOENT)) return undefined
    if (failedWith(error, Errno.ENOTDIR, Errno.ELOOP)) throw new EngineError('invalid-argument', `cannot copy to non-directory: ${name.toString()}`, { cause: error })
    throw error
  }
}

/** Makes place for a file or a link. */
function unlink(dirFd: number, name: Buffer | string): void {
  try {
    unlinkIfThere(dirFd, name)
  } catch (error) {
    if (failedWith(error, Errno.EISDIR)) throw new EngineError('invalid-argument', `cannot replace to directory ${name.toString()} with file`, { cause: error })
    throw error
  }
}
