import type { FileWorkers, TarLimits } from '@engine/image'
import type { ContainerRegistry } from '../containers/registry.ts'
import type { Events } from '../events/events.ts'
import type { EngineOptions } from '../interface.ts'
import type { ImageStore } from './image-store.ts'
import type { Registries } from './registries.ts'

/** What the verbs of images work with. */
export interface ImageVerbs {
  readonly store: ImageStore
  readonly containers: Pick<ContainerRegistry, 'find' | 'all' | 'usersOfImage'>
  readonly events: Pick<Events, 'publish'>
  readonly registries: Registries
  /** For work as long as a client likes. */
  readonly transfers: FileWorkers
  readonly log: EngineOptions['log']
  /** What archives may be like. */
  readonly limits: TarLimits
  /** Freezes a running container's processes while `work` is done. */
  whilePaused<T>(container: string, work: () => Promise<T>): Promise<T>
}
