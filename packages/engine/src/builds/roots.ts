import { randomBytes } from 'node:crypto'
import { constants, fstatSync, mkdirSync, copyFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { EditedRoot, ImageRoot, NewImage } from '@engine/build'
import type { Layer, OverlayStore } from '@engine/image'
import { mountOverlay } from '@engine/linux/overlay-mount'
import { O_PATH, openRoot, procPath, openChild, type Descriptor } from '@engine/linux/paths'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmountInBackground } from '@engine/linux/unmount'
import type { StoredImage } from './build-engine.ts'
import { layerOf } from './step-layer.ts'

/** Opens the files of an image for reading. An image of one layer is that layer's directory; others are mounted. */
export async function openImageRoot(overlay: OverlayStore, image: StoredImage): Promise<ImageRoot> {
  const [layer, ...more] = image.layers
  if (layer !== undefined && more.length === 0) {
    const root = openRoot(overlay.layout(layer).diff)
    return { fd: root.fd, [Symbol.asyncDispose]: async () => root.close() }
  }
  return openSnapshot(overlay, image.layers)
}

/**
 * Opens the files of an image for writing a layer on top.
 * @param parent undefined for `scratch`
 * @param apart  the image's files are not there meanwhile
 * @param epoch  seconds since the epoch that no time of the layer is later than
 * @param commit makes an image with that layer
 */
export async function editImageRoot(
  overlay: OverlayStore,
  parent: StoredImage | undefined,
  apart: boolean,
  epoch: number | undefined,
  commit: (image: NewImage, layer: Layer | undefined) => Promise<string>,
): Promise<EditedRoot> {
  const root = await editRootForLayer(overlay, apart ? undefined : parent, epoch, parent)
  return {
    fd: root.fd,
    commit: async (image) => commit(image, await root.layer()),
    [Symbol.asyncDispose]: () => root[Symbol.asyncDispose](),
  }
}

/** Files that a layer is written over; disposed without it, nothing is left. */
interface LayerRoot extends ImageRoot {
  /** Ends the writing. @returns undefined when nothing was written */
  layer(): Promise<Layer | undefined>
}

/**
 * Opens the files of an image for writing on top.
 * @param shown  the image whose files are there meanwhile; undefined for none
 * @param epoch  seconds since the epoch that no time of the layer is later than
 * @param parent the image that the layer is for
 */
export async function editRootForLayer(overlay: OverlayStore, shown: StoredImage | undefined, epoch: number | undefined, parent = shown): Promise<LayerRoot> {
  const snapshot = await openSnapshot(overlay, shown?.layers ?? [])
  return {
    fd: snapshot.fd,
    layer() {
      snapshot.close()
      return layerOf(overlay, snapshot.id, parent, false, epoch)
    },
    [Symbol.asyncDispose]: () => snapshot[Symbol.asyncDispose](),
  }
}

interface Snapshot extends ImageRoot {
  readonly id: string
  /** Closes the descriptor, which would keep the mount busy. */
  close(): void
}

/** The files of an image at a path of ours, for a worker; disposed, the path is gone. */
export async function mountImage(overlay: OverlayStore, image: StoredImage): Promise<{ readonly path: string } & AsyncDisposable> {
  const [layer, ...more] = image.layers
  if (layer !== undefined && more.length === 0) return { path: overlay.layout(layer).diff, [Symbol.asyncDispose]: async () => undefined }
  const snapshot = await openSnapshot(overlay, image.layers)
  const layout = overlay.layout(snapshot.id)
  return { path: image.layers.length === 0 ? layout.diff : layout.merged, [Symbol.asyncDispose]: () => snapshot[Symbol.asyncDispose]() }
}

/** A directory over layers, mounted volatile: what a crash would lose is thrown away after a crash. */
async function openSnapshot(overlay: OverlayStore, layers: readonly string[]): Promise<Snapshot> {
  const id = randomBytes(32).toString('hex')
  try {
    const layout = overlay.prepare(id, layers, { init: false })
    // Without a layer below there is nothing to mount: what is written is the whole.
    const root = openRoot(layers.length === 0 ? layout.diff : await overlay.mount(id, { volatile: true }))
    return {
      id,
      fd: root.fd,
      close: () => root.close(),
      async [Symbol.asyncDispose]() {
        root.close()
        await overlay.remove(id)
      },
    }
  } catch (error) {
    await overlay.remove(id)
    throw error
  }
}

/**
 * Makes a copy of what a descriptor refers to that can be written and is thrown away: an overlay over a directory, a copy of a file.
 * @param directory a path of ours where nothing is yet
 */
export async function openCopy(fd: number, directory: string): Promise<ImageRoot> {
  mkdirSync(directory, { mode: 0o700 })
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  try {
    if (!fstatSync(fd).isDirectory()) {
      const file = join(directory, 'file')
      copyFileSync(procPath(fd), file, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
      const copy = openFile(file)
      return { fd: copy.fd, [Symbol.asyncDispose]: async () => (copy.close(), remove()) }
    }
    const [upper, work, merged] = ['upper', 'work', 'merged'].map((name) => join(directory, name)) as [string, string, string]
    for (const path of [upper, work, merged]) mkdirSync(path, { mode: 0o755 })
    mountOverlay({ lower: [procPath(fd)], upper, work }, merged, { volatile: true })
    const root = openRoot(merged)
    return {
      fd: root.fd,
      async [Symbol.asyncDispose]() {
        root.close()
        await unmountInBackground(merged, MNT_DETACH | UMOUNT_NOFOLLOW)
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}

/** A file of ours, to be looked at and mounted. */
function openFile(path: string): Descriptor {
  using directory = openRoot(dirname(path))
  return openChild(directory.fd, basename(path), O_PATH)
}
