import { existsSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { EngineError } from '@engine/linux'
import { makePrivate, mountPrivately } from '@engine/linux/mount'
import { mountOverlay, type OverlayDirectories } from '@engine/linux/overlay-mount'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmountInBackground } from '@engine/linux/unmount'
import { Layout } from './layout.ts'
import { clearMapped, mountMapped, type MappedIds } from './mapped-ids.ts'
import { mountsBelow } from './mountinfo.ts'
import type { ShortLinks } from './short-links.ts'

/** How a container's file system is mounted. */
export interface MountOptions {
  /** Unmounting does not wait for the disk; only where the upper directory may be lost in a crash. */
  readonly volatile?: boolean
  /** With the ids of the store's `MappedIds`: what is root's on disk is the container's root's in what is mounted. */
  readonly mapped?: boolean
}

/** Calls `mount` for the file system of a container. */
export type WithRoom = (id: string, mount: () => void) => void

/** Which containers' file systems are mounted, and who needs them so. */
export class OverlayMounts {
  readonly #root: string
  readonly #links: ShortLinks
  readonly #ids: MappedIds | undefined
  readonly #withRoom: WithRoom
  readonly #mounted = new Set<string>()
  readonly #unmounting = new Map<string, Promise<void>>()
  /** Who reads in a mounted file system beside the container itself, and whether it is unmounted after the last of them. */
  readonly #held = new Map<string, { count: number; unmount: boolean }>()

  /** Those that are going away: nobody mounts them any more. */
  readonly #retiring = new Set<string>()

  /** @param root the directory `overlay2` */
  constructor(root: string, links: ShortLinks, ids: MappedIds | undefined, withRoom: WithRoom) {
    this.#root = root
    this.#links = links
    this.#ids = ids
    this.#withRoom = withRoom
  }

  /**
   * Makes the directory a private mount of itself, so that containers' mounts spread into no other namespace, and notes what is
   * mounted already (containers that outlived the daemon).
   */
  open(): void {
    const mounts = mountsBelow(this.#root)
    if (!mounts.some(({ mountPoint }) => mountPoint === this.#root)) mountPrivately(this.#root)
    else makePrivate(this.#root)
    clearMapped(this.#root)
    for (const { mountPoint, type } of mounts) {
      if (type === 'overlay' && basename(mountPoint) === 'merged') this.#mounted.add(basename(dirname(mountPoint)))
    }
  }

  /**
   * Mounts a container's file system, unless it is mounted.
   * @returns the path of the merged directory
   * @throws EngineError not-found when it is being removed
   */
  async mount(id: string, options: MountOptions = {}): Promise<string> {
    await this.#unmounted(id)
    const held = this.#held.get(id)
    if (held !== undefined) held.unmount = false
    return this.#mountNow(id, options)
  }

  #mountNow(id: string, { volatile = false, mapped = false }: MountOptions): string {
    const layout = new Layout(this.#root, id)
    if (this.#retiring.has(id) || !existsSync(layout.directory)) throw new EngineError('not-found', `No such container: ${id}`)
    if (this.#mounted.has(id)) return layout.merged
    // The kernel refuses what was mounted volatile before; whoever mounts it now knows that it is whole or may be lost.
    rmSync(join(layout.work, 'work/incompat'), { recursive: true, force: true })
    const lower = this.#links.lowerDirectories(layout)
    if (lower.length === 0) throw new EngineError('internal', `container ${id} has no layer below it`)
    const mount = (directories: OverlayDirectories): void => mountOverlay(directories, layout.merged, { volatile })
    const directories = { lower, upper: layout.diff, work: layout.work }
    this.#withRoom(id, () => {
      if (mapped) mountMapped(this.#root, this.#ids, directories, mount)
      else mount(directories)
    })
    this.#mounted.add(id)
    return layout.merged
  }

  isMounted(id: string): boolean {
    return this.#mounted.has(id)
  }

  /**
   * Mounts a container's file system for somebody beside the container. As long as one holds it, an unmount waits: it is done when the
   * last lets go, unless it was mounted again meanwhile (two mounts of one upper directory would be undefined behaviour).
   * @param options how it is mounted, unless it is
   * @returns the path of the merged directory; disposing lets go
   * @throws EngineError not-found when it is being removed
   */
  async hold(id: string, options: Pick<MountOptions, 'mapped'> = {}): Promise<AsyncDisposable & { readonly merged: string }> {
    await this.#unmounted(id)
    const held = this.#held.get(id) ?? { count: 0, unmount: !this.#mounted.has(id) }
    const merged = this.#mountNow(id, options)
    held.count++
    this.#held.set(id, held)
    let released = false
    const release = async (): Promise<void> => {
      if (released) return
      released = true
      if (--held.count > 0) return
      this.#held.delete(id)
      if (held.unmount) await this.unmount(id)
    }
    return { merged, [Symbol.asyncDispose]: release }
  }

  /** Waits for an unmount that is under way, and for one that began while this one waited: its mount is not to be relied on. */
  async #unmounted(id: string): Promise<void> {
    for (let under = this.#unmounting.get(id); under !== undefined; under = this.#unmounting.get(id)) await under
  }

  /** Unmounts a container's file system on another thread, which may take 100 ms; nothing happens when it is not mounted. */
  async unmount(id: string): Promise<void> {
    const held = this.#held.get(id)
    if (held !== undefined) {
      held.unmount = true
      return
    }
    await this.detach(id)
  }

  /**
   * Unmounts a container's file system for good and takes its directory away: whoever still holds it goes on in what is detached, and
   * who comes meanwhile finds nothing.
   * @param move takes the directory away; a mount in it would go with it and stay for ever
   */
  async retire(id: string, move: () => void): Promise<void> {
    this.#retiring.add(id)
    try {
      await this.detach(id)
      move()
    } finally {
      this.#retiring.delete(id)
    }
  }

  /** Unmounts it whoever holds it: who does goes on in what is detached. */
  async detach(id: string): Promise<void> {
    const under = this.#unmounting.get(id)
    if (under !== undefined) return under
    if (!this.#mounted.has(id)) return
    const { merged } = new Layout(this.#root, id)
    const work = (async () => {
      // More than once, should it ever have been mounted twice.
      while (await unmountInBackground(merged, MNT_DETACH | UMOUNT_NOFOLLOW));
      this.#mounted.delete(id)
    })()
    this.#unmounting.set(id, work)
    try {
      await work
    } finally {
      this.#unmounting.delete(id)
    }
  }

  /** Takes away every mount below the store and its own: never while containers run. */
  async detachAll(): Promise<void> {
    for (const { mountPoint } of mountsBelow(this.#root).reverse()) await unmountInBackground(mountPoint, MNT_DETACH | UMOUNT_NOFOLLOW)
    this.#mounted.clear()
  }
}
