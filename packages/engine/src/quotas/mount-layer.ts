import type { MountOptions } from '@engine/image'
import type { EngineContext } from '../context.ts'

/**
 * Mounts a container's file system, as OverlayStore.mount. The kernel makes a directory for its work when it mounts an overlay; in a
 * layer that is full it could not, and would mount it read-only: nobody could delete anything then. So there is a little more for that.
 */
export function mountLayer({ overlay, quotas }: Pick<EngineContext, 'overlay' | 'quotas'>, id: string, options: MountOptions): Promise<string> {
  return quotas.withRoom({ container: id }, overlay.root, () => overlay.mount(id, options))
}
