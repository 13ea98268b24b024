import { constants, fstatSync, type BigIntStats } from 'node:fs'
import { Errno, failedWith, SyscallError } from '@engine/linux'
import { mkdirat, readlinkat } from '@engine/linux/file-at'
import { chmodDescriptor, openBeneath, openChild, openRoot, refuseUnlessName, reopen, O_PATH, type Descriptor } from '@engine/linux/paths'
import { joinComponents, splitComponents } from '../layer/entry-path.ts'
import { asRootOf } from './ids.ts'
import { openSource, type ViewMount, type ViewSpec } from './spec.ts'

/** One tree of a view: the root, or a mount. */
interface Tree {
  readonly directory: Descriptor
  readonly readOnly: boolean
}

/** A file that a tree has, by what the kernel tells of it. */
type Inode = Pick<BigIntStats, 'dev' | 'ino'>

/** Something in a view, found by its path. Closing it is the caller's. */
export interface Place extends Disposable {
  /** O_PATH */
  readonly fd: number
  readonly stats: BigIntStats
  /** Index of the tree it is in. */
  readonly tree: number
  /** Its path in the container, links resolved; none for the root. */
  readonly path: readonly Buffer[]
}

interface Step {
  readonly descriptor: Descriptor
  readonly tree: number
  readonly name: Buffer
}

/** What the kernel allows in one resolution (MAXSYMLINKS). */
const maxLinks = 40
/** Directories that one path may lie below; each is held open while it is resolved. */
const maxDepth = 1024

/**
 * A container's root and what is mounted over it, put together without a mount: volumes are trees of their own, and whoever comes to a
 * directory that one covers goes on in it. Every name is opened by itself, below a directory that is held open, so that no link and no
 * rename leads out of the trees (CVE-2018-15664, CVE-2019-14271), and nothing can be raced into being mounted elsewhere
 * (CVE-2026-41568, CVE-2026-42306). Links begin at the container's root, and `..` stops there.
 * All calls are synchronous: it belongs in a worker.
 */
export class View implements Disposable {
  /** What the container's ids are on the host; undefined when they are the same. */
  readonly ids: ViewSpec['ids']
  readonly #trees: Tree[] = []
  /** What is covered, to the index of the tree that covers it. */
  readonly #covers = new Map<string, number>()
  /** Every directory above something covered, for removals. */
  readonly #above = new Set<string>()
  /** What is covered is held open, so that its inode number stays its own. */
  readonly #held: Descriptor[] = []

  /** Opens the trees. A mount whose source is not there is left out; where a mount point is missing, it is made, as at a start. */
  constructor(spec: ViewSpec) {
    this.ids = spec.ids
    try {
      this.#trees.push({ directory: openRoot(spec.root), readOnly: spec.readOnlyRoot })
      asRootOf(this.ids, () => {
        for (const mount of [...spec.mounts].sort(fromRootDown)) this.#cover(mount)
      })
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** Whether a tree may not be written to. */
  isReadOnly(tree: number): boolean {
    return this.#trees[tree]?.readOnly === true
  }

  /** The tree that covers something, or undefined; the descriptor is the view's. */
  coverOf(tree: number, inode: Inode): { readonly fd: number; readonly tree: number } | undefined {
    const index = this.#covers.get(keyOf(tree, inode))
    const cover = index === undefined ? undefined : this.#trees[index]
    return cover === undefined || index === undefined ? undefined : { fd: cover.directory.fd, tree: index }
  }

  /** Whether something is covered, or has something covered below it. */
  holdsMount(tree: number, inode: Inode): boolean {
    const key = keyOf(tree, inode)
    return this.#covers.has(key) || this.#above.has(key)
  }

  /**
   * Finds what a container has at a path.
   * @param path   absolute or not, it begins at the root, or in `base`; one that ends in `/` or `/.` must be a directory, and follows
   * @param follow whether a link at the end is followed
   * @param base   resolved path of a directory
   * @throws SyscallError ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG
   */
  resolve(path: Buffer, follow: boolean, base: readonly Buffer[] = []): Place {
    const directory = namesDirectory(path)
    return this.#walk([...base, ...splitComponents(path)], follow || directory, directory)
  }

  /** Finds a directory below another, and makes what is missing on the way (`mkdir -p`), open to all and root's. */
  makeAll(components: readonly Buffer[], base: readonly Buffer[] = []): Place {
    const path = [...base, ...components]
    try {
      return this.#walk(path, true, true)
    } catch (error) {
      if (!failedWith(error, Errno.ENOENT)) throw error
    }
    for (let length = base.length + 1; length <= path.length; length++) {
      using parent = this.#walk(path.slice(0, length - 1), true, true)
      const name = path[length - 1] as Buffer
      if (isDots(name)) continue
      refuseUnlessName(name)
      try {
        mkdirat(parent.fd, name, 0o755)
      } catch (error) {
        if (failedWith(error, Errno.EEXIST)) continue
        throw error
      }
      using made = openChild(parent.fd, name, O_PATH | constants.O_DIRECTORY)
      chmodDescriptor(made.fd, 0o755)
    }
    return this.#walk(path, true, true)
  }

  [Symbol.dispose](): void {
    for (const { directory } of this.#trees) directory.close()
    for (const held of this.#held) held.close()
  }

  #cover(mount: ViewMount): void {
    const directory = openSource(mount)
    if (directory === undefined) return
    const index = this.#trees.push({ directory, readOnly: mount.readOnly }) - 1
    using point = this.#mountPoint(splitComponents(Buffer.from(mount.destination)), fstatSync(directory.fd).isDirectory())
    this.#held.push(reopen(point.fd, O_PATH))
    this.#covers.set(keyOf(point.tree, point.stats), index)
    for (let length = point.path.length - 1; length >= 0; length--) {
      using above = this.#walk(point.path.slice(0, length), false, true)
      this.#above.add(keyOf(above.tree, above.stats))
    }
  }

  /** The place that a mount covers, made when it is missing. */
  #mountPoint(path: readonly Buffer[], isDirectory: boolean): Place {
    if (isDirectory) return this.makeAll(path)
    try {
      return this.#walk(path, true, false)
    } catch (error) {
      if (!failedWith(error, Errno.ENOENT)) throw error
    }
    using parent = this.makeAll(path.slice(0, -1))
    openChild(parent.fd, path.at(-1) ?? '', constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o755).close()
    return this.#walk(path, true, false)
  }

  #walk(path: readonly Buffer[], follow: boolean, directory: boolean): Place {
    const root = this.#trees[0] as Tree
    const steps: Step[] = [{ descriptor: reopen(root.directory.fd, O_PATH), tree: 0, name: Buffer.alloc(0) }]
    try {
      const pending = [...path].reverse()
      let links = 0
      for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
        if (isDots(name)) {
          if (steps.length > 1) steps.pop()?.descriptor.close()
          continue
        }
        const step = this.#step(steps.at(-1) as Step, name)
        steps.push(step)
        const stats = fstatSync(step.descriptor.fd)
        if (stats.isSymbolicLink() && (pending.length > 0 || follow)) {
          if (++links > maxLinks) throw failure(path, Errno.ELOOP)
          const target = readlinkat(step.descriptor.fd, '')
          for (const { descriptor } of steps.splice(target[0] === slash ? 1 : -1)) descriptor.close()
          pending.push(...splitComponents(target).reverse())
          continue
        }
        if (!stats.isDirectory() && (pending.length > 0 || directory)) throw failure(path, Errno.ENOTDIR)
        if (steps.length > maxDepth) throw failure(path, Errno.ENAMETOOLONG)
      }
      const resolved = steps.slice(1).map(({ name }) => name)
      const { descriptor, tree } = steps.pop() as Step
      return { fd: descriptor.fd, stats: fstatSync(descriptor.fd, { bigint: true }), tree, path: resolved, [Symbol.dispose]: () => descriptor.close() }
    } finally {
      for (const { descriptor } of steps) descriptor.close()
    }
  }

  /** One name of a directory, or what covers it. A file system of the host's below a bind is crossed into, as the container does. */
  #step(above: Step, name: Buffer): Step {
    refuseUnlessName(name)
    const descriptor = openBeneath(above.descriptor.fd, name, O_PATH | constants.O_NOFOLLOW)
    const cover = this.coverOf(above.tree, fstatSync(descriptor.fd, { bigint: true }))
    if (cover === undefined) return { descriptor, tree: above.tree, name }
    descriptor.close()
    return { descriptor: reopen(cover.fd, O_PATH), tree: cover.tree, name }
  }
}

function keyOf(tree: number, { dev, ino }: Inode): string {
  return `${tree}:${dev}:${ino}`
}

function failure(path: readonly Buffer[], errno: number): SyscallError {
  return new SyscallError('lstat', { path: `/${joinComponents(path).toString()}` }, errno)
}

function fromRootDown(a: ViewMount, b: ViewMount): number {
  return splitComponents(Buffer.from(a.destination)).length - splitComponents(Buffer.from(b.destination)).length
}

/** Whether a path ends in `/` or `/.`. */
function namesDirectory(path: Buffer): boolean {
  const end = path.at(-1) === dot && path.length > 1 ? path.length - 1 : path.length
  return path[end - 1] === slash
}

function isDots(name: Buffer): boolean {
  return name.length === 2 && name[0] === dot && name[1] === dot
}

const slash = 0x2f
const dot = 0x2e
