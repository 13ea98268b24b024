import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { randomBytes } from 'node:crypto'
import type { FileWorkers, Layer, OverlayStore } from '@engine/image'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { openParent, openRoot, procPath, removeTree, statInRoot } from '@engine/linux/paths'
import type { StoredImage } from './build-engine.ts'
import { editRootForLayer, mountImage } from './roots.ts'

interface SquashTools {
  readonly overlay: OverlayStore
  readonly workers: FileWorkers
  /** A directory of the build's own. */
  readonly directory: string
}

/**
 * Makes one layer of those that an image has above another. First goes what any of them takes away from the image below, then comes
 * what all of them together show.
 * @param base  undefined for `scratch`
 * @param epoch seconds since the epoch that no time of the layer is later than
 * @returns undefined when nothing of them is left
 */
export async function squashLayers({ overlay, workers, directory }: SquashTools, image: StoredImage, base: StoredImage | undefined, epoch: number | undefined): Promise<Layer | undefined> {
  const below = base?.layers ?? []
  const added = image.layers.slice(0, image.layers.length - below.length)
  await using root = await editRootForLayer(overlay, base, epoch)
  const lowers = below.map((layer) => overlay.layout(layer).diff)
  for (const layer of added) {
    const upper = overlay.layout(layer).diff
    const changes = await workers.run({ kind: 'changes', upper, lowers })
    using files = openRoot(upper)
    for (const { path, kind } of changes) {
      // What replaces something that is no directory, or a directory by something else, comes again with the files.
      if (kind === 2 || (kind === 0 && statInRoot(files.fd, path, false)?.isDirectory() === false)) removeInRoot(root.fd, path)
    }
  }
  const archive = join(directory, `squash-${randomBytes(8).toString('hex')}`)
  {
    await using union = await mountImage(overlay, { ...image, layers: added })
    await pipeline(workers.stream({ kind: 'stream', directory: union.path, archive: 'archive' }), createWriteStream(archive, { mode: 0o600, flags: 'wx' }))
  }
  await workers.run({ kind: 'extract', file: archive, directory: procPath(root.fd), options: { kind: 'tree', sync: false } })
  await rm(archive)
  return await root.layer()
}

function removeInRoot(rootFd: number, path: string): void {
  // Changes are told as text.
  if (path.includes('\ufffd')) throw new EngineError('not-implemented', `layers cannot be squashed: the name of ${path} is no UTF-8`)
  try {
    using parent = openParent(rootFd, path)
    removeTree(parent.directory.fd, parent.name)
  } catch (error) {
    // It went with a directory above it.
    if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR)) throw error
  }
}
