import type { FileWorkers, Image, ImageConfig, Layer, OverlayStore, TarLimits } from '@engine/image'
import type { LookUpOptions } from '../images/look-up.ts'
import type { Containers, Images } from '../interface.ts'
import type { Intents } from '../state/intents.ts'
import type { Remap } from '../userns/remap.ts'
import type { BuildCacheTable } from './build-cache-table.ts'
import type { ContextStore } from './contexts.ts'
import type { InputStore } from './inputs.ts'
import type { CacheMounts } from './mounts/cache-mounts.ts'
import type { SharedCache } from './shared-cache/shared-cache.ts'
import type { UnsyncedLayers } from './unsynced-layers.ts'

/** An image that is here. */
export interface StoredImage {
  readonly id: string
  readonly config: ImageConfig
  /** Ids of its layers under overlay2/, topmost first. */
  readonly layers: readonly string[]
}

/** What a build needs of images. */
export interface BuildImages {
  /** @throws EngineError not-found for a name that no image has, invalid-argument for what is no name */
  find(reference: string, platform: string): StoredImage
  /** By id; undefined when it is gone. */
  get(id: string): StoredImage | undefined
  /**
   * Puts a new image into the database; its layers are under overlay2/ already.
   * @param parent id of the image that it was made from; '' for none
   * @param layer  the layer that it has on top of its parent's
   * @param more   `unsynced`: nothing need be on the disk when this returns; called in the transaction, to note that
   */
  add(image: Image, parent: string, layer: Layer | undefined, more: { readonly unsynced: () => void }): Promise<void>
  /** An image is of use. */
  used(id: string): void
  /** Gives an image a name, and takes it from another. @returns the name as users write it, `busybox:latest` */
  tag(id: string, reference: string): Promise<string>
  /** Keeps an image and its layers from being removed meanwhile. */
  hold(id: string): Disposable
}

/** The parts of the engine that builds work with. */
export interface BuildEngine {
  readonly dataRoot: string
  readonly containers: Pick<Containers, 'create' | 'attach' | 'start' | 'wait' | 'kill' | 'remove'>
  readonly images: BuildImages
  readonly overlay: OverlayStore
  /** The ids that a step's container has on the host. */
  readonly remap: Remap | undefined
  readonly workers: FileWorkers
  readonly cache: BuildCacheTable
  readonly cacheMounts: CacheMounts
  readonly inputs: InputStore
  readonly contexts: ContextStore
  /** What archives of contexts, and of ADD, may be like. */
  readonly limits: TarLimits
  /** How many builds have ended since the start. */
  readonly built: { count: number }
  readonly unsynced: Pick<UnsyncedLayers, 'note' | 'check'>
  readonly sharedCache: Pick<SharedCache, 'open' | 'push'>
  /** Pulls an image; yields progress. */
  readonly pull: Images['pull']
  /** The configuration of an image that a registry has; nothing is kept of it. */
  readonly lookUp: (name: string, options: LookUpOptions, signal: AbortSignal) => Promise<ImageConfig>
  /** A step's container is nobody's after a crash. */
  readonly intents: Pick<Intents, 'begin' | 'end'>
}
