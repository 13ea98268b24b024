import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import { applyChanges, fetchUrl, shownUrl } from '@engine/build'
import { fullName, hostPlatform, importImage as importTar, parsePlatform, parseRepositoryTag } from '@engine/image'
import { now, rfc3339 } from '../clock.ts'
import type { Images, Progress } from '../interface.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { reporting, type ProgressQueue } from './transfer-progress.ts'

/**
 * Makes an image of one layer from a tar. What is wrong with the options is said before the tar is read.
 * @param source the tar, or the http or https address of one
 * @throws EngineError invalid-argument in Docker's words; for a tar that is damaged `unexpected EOF`
 */
export function importImage({ limits, store }: ImageVerbs, source: Readable | string, options: Parameters<Images['import']>[1], signal: AbortSignal): AsyncIterable<Progress> {
  return reporting(signal, async (queue, either) => {
    const name = options.repository === '' ? undefined : parseRepositoryTag(options.repository, options.tag)
    const platform = options.platform ? parsePlatform(options.platform) : hostPlatform()
    const config = applyChanges({}, options.changes)
    const { tar, shown } = typeof source === 'string' ? await open(source, queue, either) : { tar: source, shown: '-' }
    // A layer that is being made must not meet the removal of one of the same name.
    using _held = store.hold(`import ${randomUUID()}`)
    const message = options.message === '' ? `Imported from ${shown}` : options.message
    const settings = { message, config, platform, created: rfc3339(now()), maxBytes: limits.contentBytes }
    const { image, layer, blob } = await importTar(tar, { content: store.content, snapshots: store.overlay }, settings, either).catch((error: unknown) => {
      store.abandon()
      throw error
    })
    await store.add(image, '', layer, { blob })
    if (name !== undefined) await store.tag(image.id, fullName(name))
    store.publish('import', image, image.id)
    queue.push({ status: image.id })
  })
}

/** Docker takes what has no scheme for a host and a path. */
async function open(source: string, queue: ProgressQueue, signal: AbortSignal): Promise<{ readonly tar: AsyncIterable<Buffer>; readonly shown: string }> {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(source) ? source : `http://${source}`
  const { body, headers } = await fetchUrl(address, signal)
  const shown = shownUrl(address)
  queue.push({ status: `Downloading from ${shown}` })
  return { tar: counted(body, Number(headers.get('content-length') ?? 0), queue), shown }
}

async function* counted(body: AsyncIterable<Uint8Array>, total: number, queue: ProgressQueue): AsyncGenerator<Buffer> {
  let current = 0
  for await (const chunk of body) {
    current += chunk.length
    queue.bar('', 'Importing', current, total)
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  }
}
