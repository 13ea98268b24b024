import { randomBytes } from 'node:crypto'
import type { EditedRoot, ImageRoot, NewImage } from '@engine/build'
import type { Layer, OverlayStore } from '@engine/image'
import { openRoot } from '@engine/linux/paths'
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
 * @param commit makes an image with that layer
 */
export async function editImageRoot(
  overlay: OverlayStore,
  parent: StoredImage | undefined,
  commit: (image: NewImage, layer: Layer | undefined) => Promise<string>,
): Promise<EditedRoot> {
  const snapshot = await openSnapshot(overlay, parent?.layers ?? [])
  return {
    fd: snapshot.fd,
    async commit(image) {
      snapshot.close()
      return commit(image, await layerOf(overlay, snapshot.id, parent, false))
    },
    [Symbol.asyncDispose]: () => snapshot[Symbol.asyncDispose](),
  }
}

interface Snapshot extends ImageRoot {
  readonly id: string
  /** Closes the descriptor, which would keep the mount busy. */
  close(): void
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
