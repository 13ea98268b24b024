import { writeImageConfig, type Digest, type Image, type ImageConfig } from '@engine/image'
import { hostPlatform } from '@engine/image'
import type { NewImage } from '@engine/build'
import type { StoredImage } from './build-engine.ts'

/**
 * The configuration of a step's image: its parent's, with one more line of history and perhaps one more layer.
 * @param parent undefined for `scratch`
 * @param diffId of the new layer; undefined when the step changed no file
 * @param created RFC 3339
 */
export function stepImage(parent: ImageConfig | undefined, step: NewImage, diffId: Digest | undefined, created: string): Image {
  const { architecture, variant, os } = parent === undefined || parent.architecture === '' ? hostPlatform() : parent
  const author = step.author === '' ? {} : { author: step.author }
  return writeImageConfig({
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os: os === '' ? 'linux' : os,
    ...author,
    config: step.config,
    created,
    history: [...(parent?.history ?? []), { created, created_by: step.createdBy, ...author, ...(diffId === undefined ? { empty_layer: true } : {}) }],
    rootfs: { type: 'layers', diff_ids: [...(parent?.rootfs.diff_ids ?? []), ...(diffId === undefined ? [] : [diffId])] },
  })
}

/**
 * The configuration of an image whose layers above another have become one, as Docker writes it (moby SquashImage): the history stays,
 * with no layers, and one more line tells what was done.
 * @param base   undefined for `scratch`
 * @param diffId of the new layer; undefined when nothing was left of the layers
 * @param created RFC 3339
 */
export function squashedImage({ id, config }: StoredImage, base: StoredImage | undefined, diffId: Digest | undefined, created: string): Image {
  const kept = base?.config.history?.length ?? 0
  const history = (config.history ?? []).map((line, at) => (at < kept ? line : { ...line, empty_layer: true }))
  const comment = base === undefined ? `create new from ${id}` : `merge ${id} to ${base.id}`
  return writeImageConfig({
    ...config,
    created,
    history: [...history, { created, comment, ...(diffId === undefined ? { empty_layer: true } : {}) }],
    rootfs: { type: 'layers', diff_ids: [...(base?.config.rootfs.diff_ids ?? []), ...(diffId === undefined ? [] : [diffId])] },
  })
}
