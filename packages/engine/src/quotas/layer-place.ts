import type { OverlayStore } from '@engine/image'
import type { QuotaPlace } from './project-quotas.ts'

/** What of a container is held to a size: what it writes, and what the overlay needs for that. */
export function layerPlace(overlay: Pick<OverlayStore, 'root' | 'layout'>, id: string): QuotaPlace {
  const { diff, work } = overlay.layout(id)
  return { root: overlay.root, directories: [diff, work] }
}
