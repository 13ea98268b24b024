import type { ImageStore } from '../../images/image-store.ts'
import type { Registries } from '../../images/registries.ts'
import type { Progress } from '../../interface.ts'
import { pushCache, type ExportedStep, type ExportTools } from './export.ts'
import { CacheSources, type ImportTools } from './import.ts'

/** Build caches that are not only ours: images that tell of their steps, and caches in registries. */
export class SharedCache {
  readonly #store: ImageStore
  readonly #registries: Registries

  constructor(store: ImageStore, registries: Registries) {
    this.#store = store
    this.#registries = registries
  }

  /** Opens what a client has named for one build, see {@link CacheSources}. */
  open(names: readonly string[], tools: Omit<ImportTools, 'store' | 'registries'>): CacheSources {
    return new CacheSources(names, { ...tools, store: this.#store, registries: this.#registries })
  }

  /** Sends steps to a registry, see {@link pushCache}. */
  push(ref: string, steps: readonly ExportedStep[], credentialsFor: ExportTools['credentialsFor'], signal: AbortSignal): AsyncIterable<Progress> {
    return pushCache({ store: this.#store, registries: this.#registries, credentialsFor }, ref, steps, signal)
  }
}
