import type { ContainerRegistry } from '../containers/registry.ts'
import type { Events } from '../events/events.ts'
import type { ImageStore } from './image-store.ts'

/** What the verbs of images work with. */
export interface ImageVerbs {
  readonly store: ImageStore
  readonly containers: Pick<ContainerRegistry, 'find' | 'all' | 'usersOfImage'>
  readonly events: Pick<Events, 'publish'>
  /** Freezes a running container's processes, and lets them go on. */
  pause(container: string): Promise<void>
  unpause(container: string): Promise<void>
}
