import { chainIds, digestHex, type OverlayStore } from '@engine/image'
import type { StoredImage } from './build-engine.ts'

/** Where two images of one Dockerfile begin to differ. */
export interface Difference {
  readonly path: string
  readonly step: string
}

/** Finds the first layer in which two images differ, the step that made it, and the first path in it that differs. */
export async function compareImages(overlay: OverlayStore, a: StoredImage, b: StoredImage): Promise<Difference | undefined> {
  const [layersA, layersB] = [a, b].map(({ config }) => config.rootfs.diff_ids)
  const steps = (a.config.history ?? []).filter((line) => line.empty_layer !== true).map((line) => line.created_by ?? '')
  const length = Math.max(layersA?.length ?? 0, layersB?.length ?? 0)
  for (let index = 0; index < length; index++) {
    if (layersA?.[index] === layersB?.[index]) continue
    const [one, other] = [layersA, layersB].map((layers) => chainIds((layers ?? []).slice(0, index + 1)).map(digestHex).at(-1))
    const path = one === undefined || other === undefined ? undefined : await overlay.firstDifference(one, other)
    return { path: path ?? 'a layer', step: steps[index] ?? '' }
  }
  const config = ({ config: image }: StoredImage): string => JSON.stringify(image.config)
  return config(a) === config(b) ? undefined : { path: 'the configuration', step: '' }
}
