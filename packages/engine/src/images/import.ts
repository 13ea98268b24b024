import { randomUUID } from 'node:crypto'
import { applyChanges } from '@engine/build'
import { fullName, hostPlatform, importImage as importTar, parsePlatform, parseRepositoryTag } from '@engine/image'
import type { Readable } from 'node:stream'
import { now, rfc3339 } from '../clock.ts'
import type { Images, Progress } from '../interface.ts'
import type { ImageVerbs } from './image-verbs.ts'

/**
 * Makes an image of one layer from a tar. What is wrong with the options is said before the tar is read.
 * @throws EngineError invalid-argument in Docker's words; for a tar that is damaged `unexpected EOF`
 */
export async function* importImage({ limits, store }: ImageVerbs, tar: Readable, options: Parameters<Images['import']>[1]): AsyncGenerator<Progress, void, undefined> {
  const name = options.repository === '' ? undefined : parseRepositoryTag(options.repository, options.tag)
  const platform = options.platform ? parsePlatform(options.platform) : hostPlatform()
  const config = applyChanges({}, options.changes)
  // A layer that is being made must not meet the removal of one of the same name.
  using _held = store.hold(`import ${randomUUID()}`)
  const message = options.message === '' ? 'Imported from -' : options.message
  const { image, layer, blob } = await importTar(tar, { content: store.content, snapshots: store.overlay }, { message, config, platform, created: rfc3339(now()), maxBytes: limits.contentBytes }).catch((error: unknown) => {
    store.abandon()
    throw error
  })
  await store.add(image, '', layer, { blob })
  if (name !== undefined) await store.tag(image.id, fullName(name))
  store.publish('import', image, image.id)
  yield { status: image.id }
}
