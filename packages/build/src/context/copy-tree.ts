import { constants, copyFileSync, fstatSync, type BigIntStats } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { Errno, failedWith } from '@engine/linux'
import { chownat, linkDescriptor, mkdirat, mknodat, readlinkat, symlinkat, utimensat } from '@engine/linux/file-at'
import { chmodDescriptor, listDirectory, openChild, O_PATH, procChild, procPath, removeTree, type Descriptor } from '@engine/linux/paths'
import { getXattr, setXattr } from '@engine/linux/xattr'
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
/** Files with several names that are remembered, so that their copies are one file, too. */
const maxLinks = 4096

/** Copies files and directories from descriptor to descriptor; no link on either side is followed. */
export class TreeCopier implements Disposable {
  readonly #attributes: CopyAttributes
  readonly #signal: AbortSignal
  readonly #links = new Map<string, Descriptor>()

  constructor(attributes: CopyAttributes, signal: AbortSignal) {
    this.#attributes = attributes
    this.#signal = signal
  }

  /**
   * Copies what a directory holds into another: directories are merged, everything else replaces what is in its place.
   * @param part what of it is copied; undefined is everything
   */
  async copyContent(fromFd: number, toFd: number, part?: Part): Promise<void> {
    for (const name of listDirectory(fromFd)) {
      const relative = (part?.above ?? '') + name.toString('latin1')
      if (part?.selection.has(relative) === false) continue
      using from = openChild(fromFd, name, O_PATH)
      await this.copyDescriptor(from.fd, toFd, name, part && { ...part, above: `${relative}/` })
    }
  }

  /** Copies what a descriptor refers to, under a name of a directory. */
  async copyDescriptor(fd: number, toFd: number, name: Buffer | string, part?: Part): Promise<void> {
    this.#signal.throwIfAborted()
    const stat = fstatSync(fd, { bigint: true })
    if (stat.isDirectory()) return this.#directory(fd, stat, toFd, name, part)
    // Sockets belong to the process that listens.
    if (stat.isSocket()) return
    removeTree(toFd, name)
    if (this.#link(stat, toFd, name)) return
    if (stat.isSymbolicLink()) symlinkat(readlinkat(fd, ''), toFd, name)
    else if (stat.isFile()) await copyData(fd, stat.size, procChild(toFd, name))
    else mknodat(toFd, name, Number(stat.mode & BigInt(constants.S_IFMT)) | 0o600, stat.rdev)
    this.#describe(fd, stat, toFd, name)
    if (stat.nlink > 1n && this.#links.size < maxLinks) this.#links.set(`${stat.dev}:${stat.ino}`, openChild(toFd, name, O_PATH))
  }

  /** Makes a directory as another is, without what that holds, unless there is one. @returns it */
  makeDirectory(fd: number, toFd: number, name: Buffer | string): Descriptor {
    const existing = openDirectory(toFd, name)
    if (existing !== undefined) return existing
    removeTree(toFd, name)
    mkdirat(toFd, name, 0o700)
    this.#describe(fd, fstatSync(fd, { bigint: true }), toFd, name)
    return openChild(toFd, name, O_PATH | constants.O_DIRECTORY)
  }

  async #directory(fd: number, stat: BigIntStats, toFd: number, name: Buffer | string, part: Part | undefined): Promise<void> {
    const existing = openDirectory(toFd, name)
    if (existing === undefined) {
      removeTree(toFd, name)
      mkdirat(toFd, name, 0o700)
    }
    {
      using made = existing ?? openChild(toFd, name, O_PATH | constants.O_DIRECTORY)
      await this.copyContent(fd, made.fd, part)
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
    if (!stat.isSymbolicLink()) {
      using made = openChild(toFd, name, O_PATH)
      chmodDescriptor(made.fd, mode(Number(stat.mode & 0o7777n), stat.isDirectory()))
    }
    if (stat.isFile()) {
      const capability = getXattr(procPath(fromFd), 'security.capability')
      if (capability !== undefined) setXattr(procChild(toFd, name), 'security.capability', capability)
    }
    utimensat(toFd, name, stat.atimeNs, stat.mtimeNs)
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#links.values()) descriptor.close()
    this.#links.clear()
  }
}

function openDirectory(dirFd: number, name: Buffer | string): Descriptor | undefined {
  try {
    return openChild(dirFd, name, O_PATH | constants.O_DIRECTORY)
  } catch (error) {
    if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) return undefined
    throw error
  }
}

/** The data shares its blocks with the source where the file system can do that. The name must not exist. */
async function copyData(fd: number, size: bigint, to: Buffer): Promise<void> {
  const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE
  if (size <= smallFile) copyFileSync(procPath(fd), to, mode)
  else await copyFile(procPath(fd), to, mode)
}
