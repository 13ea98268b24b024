import { readdirSync, statSync } from 'node:fs'
import { chainId, digestHex, type Digest, type Layer, type OverlayStore } from '@engine/image'
import type { StoredImage } from './build-engine.ts'

/**
 * Makes the upper directory of a container or of an edited root a layer. Nothing is copied unless it must stay: the directory is
 * moved, and the snapshot is gone. It is perhaps not on the disk yet: that is {@link UnsyncedLayers}' business.
 * @param parent undefined for `scratch`
 * @param keep   the snapshot stays, its files are copied
 * @param epoch  seconds since the epoch that no time of it is later than; undefined leaves times
 * @returns undefined when nothing was written: then there is no layer, and the snapshot is as it was
 */
export async function layerOf(overlay: OverlayStore, snapshot: string, parent: StoredImage | undefined, keep: boolean, epoch: number | undefined): Promise<Layer | undefined> {
  await overlay.unmount(snapshot)
  if (epoch !== undefined) await overlay.clampTimes(snapshot, epoch)
  const parents = parent?.layers ?? []
  if (isEmpty(overlay, snapshot, parents[0])) return undefined
  const name = (diffId: Digest): string => digestHex(chainId([...(parent?.config.rootfs.diff_ids ?? []), diffId]))
  if (keep) return overlay.createLayer({ snapshot }, parents, name, undefined, { sync: false })
  return overlay.adoptLayer(snapshot, await overlay.archive(snapshot), parents, name, { sync: false })
}

/** Whether nothing was written: no name, and the root directory itself is as it was made. */
function isEmpty(overlay: OverlayStore, snapshot: string, top: string | undefined): boolean {
  const { diff } = overlay.layout(snapshot)
  if (readdirSync(diff).length > 0) return false
  const { mode, uid, gid } = statSync(diff)
  const before = top === undefined ? { mode: 0o40755, uid: 0, gid: 0 } : statSync(overlay.layout(top).diff)
  return mode === before.mode && uid === before.uid && gid === before.gid
}
