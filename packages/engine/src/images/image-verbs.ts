import type { ContainerRegistry } from '../containers/registry.ts'
import type { Events } from '../events/events.ts'
import type { ImageStore } from './image-store.ts'

/** What the verbs of images work with. */
export interface ImageVerbs {
  readonly store: ImageStore
  readonly containers: Pick<ContainerRegistry, 'find' | 'all' | 'usersOfImage'>
  readonly events: Pick<Events, 'publish'>
  /** Freezes a running container's processes while `work` is done. */
  whilePaused<T>(container: string, work: () => Promise<T>): Promise<T>
}
