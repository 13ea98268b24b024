import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { EngineContext } from '../context.ts'
import { isRemapped } from '../userns/container-ids.ts'
import type { ContainerRecord } from './container.ts'
import type { ContainerMount } from './mount-parse.ts'

/** An image that a container has mounted: its layers under a directory of overlay2/ that is the container's own, and never written to. */
export interface ImageMount {
  /** Name of that directory: 64 hex digits. */
  readonly snapshot: string
  readonly imageId: string
  /** Ids of its layers, topmost first. */
  readonly layers: readonly string[]
}

/** Ids of the images that a container is made from and that it mounts. */
export function imagesOf(record: Pick<ContainerRecord, 'imageId' | 'mounts'>): string[] {
  return [record.imageId, ...imageMounts(record).map(({ imageId }) => imageId)]
}

/** The images that a container mounts. */
export function imageMounts({ mounts }: Pick<ContainerRecord, 'mounts'>): ImageMount[] {
  return mounts.flatMap(({ image }) => (image === undefined ? [] : [image]))
}

/**
 * Finds the images that a new container's mounts name.
 * @throws EngineError not-found `No such image: x:latest`
 */
export function resolveImageMounts(engine: Pick<EngineContext, 'images' | 'overlay'>, containerId: string, mounts: readonly ContainerMount[]): ContainerMount[] {
  return mounts.map((mount) => {
    const { point } = mount
    if (point.Type !== 'image') return mount
    const found = mount.image ?? engine.images.forContainer(point.Name as string, undefined)
    const imageId = 'id' in found ? found.id : found.imageId
    const snapshot = createHash('sha256').update(`${containerId}\0${point.Destination}`).digest('hex')
    return { ...mount, image: { snapshot, imageId, layers: found.layers }, point: { ...point, Source: join(engine.overlay.root, snapshot, 'merged') } }
  })
}

/** Makes the directories of a new container's images. Doing it again is no harm. */
export function prepareImageMounts({ overlay }: Pick<EngineContext, 'overlay'>, record: Pick<ContainerRecord, 'mounts'>, undo: AsyncDisposableStack): void {
  for (const { snapshot, layers } of imageMounts(record)) {
    undo.defer(() => overlay.remove(snapshot))
    overlay.prepare(snapshot, layers, { init: false })
  }
}

/** Mounts them for a run. */
export async function mountImages(engine: Pick<EngineContext, 'overlay' | 'remap'>, record: Pick<ContainerRecord, 'mounts' | 'hostConfig'>, undo: AsyncDisposableStack): Promise<void> {
  for (const { snapshot } of imageMounts(record)) {
    undo.defer(() => engine.overlay.unmount(snapshot))
    await engine.overlay.mount(snapshot, { mapped: isRemapped(engine, record.hostConfig) })
  }
}
