import { hasBlob, mountBlob, uploadBlob, type Digest, type RegistryClient } from '@engine/image'
import { allOrNone } from './all-or-none.ts'
import { shortId } from './errors.ts'
import type { ImageStore } from './image-store.ts'
import { compressLayer, type LayerBlob } from './push-blob.ts'
import type { Registries } from './registries.ts'
import { statusLine, type ProgressQueue } from './transfer-progress.ts'

/** One push, to one repository. */
export interface Push {
  readonly registries: Registries
  readonly store: ImageStore
  readonly client: RegistryClient
  /** `registry:5000/a/b` */
  readonly repository: string
  readonly queue: ProgressQueue
  readonly signal: AbortSignal
}

/** Most repositories of a registry that are asked for a blob before it is sent. */
const maxMounts = 3

export interface PushedLayer {
  readonly digest: Digest
  readonly size: number
  readonly mediaType: string
}

/** Sends layers that the registry does not have; the topmost first, as Docker lists them. @returns them in their order */
export async function pushLayers(push: Push, layers: readonly LayerBlob[]): Promise<PushedLayer[]> {
  const { queue, registries, signal } = push
  const reversed = [...layers].reverse()
  for (const { diffId } of reversed) queue.push(statusLine(shortId(diffId), 'Preparing'))
  const pushed = await allOrNone(reversed, signal, (layer, either) => {
    const onWait = (): void => queue.push(statusLine(shortId(layer.diffId), 'Waiting'))
    return registries.uploads.run(() => pushLayer({ ...push, signal: either }, layer), { signal: either, onWait })
  })
  return pushed.reverse()
}

async function pushLayer(push: Push, layer: LayerBlob): Promise<PushedLayer> {
  const { queue, signal, store } = push
  const id = shortId(layer.diffId)
  const { mediaType } = layer
  if (layer.digest !== undefined && (await hasBlob(push.client, layer.digest, signal))) {
    queue.push(statusLine(id, 'Layer already exists'))
    store.contents.noteRepository(layer.digest, push.repository)
    return { digest: layer.digest, size: layer.size, mediaType }
  }
  const blob = layer.row === undefined || layer.digest !== undefined
    ? { digest: layer.digest ?? layer.diffId, size: layer.size }
    : await compressLayer(store, layer.row, (bytes) => queue.bar(id, 'Pushing', bytes, layer.size), signal)
  const from = layer.digest === undefined ? undefined : await mounted(push, blob.digest)
  if (from === undefined) {
    await pushBlob(push, blob, id)
    queue.push(statusLine(id, 'Pushed'))
  } else {
    queue.push(statusLine(id, `Mounted from ${from}`))
  }
  store.contents.noteRepository(blob.digest, push.repository)
  return { ...blob, mediaType }
}

/** Takes a blob from another repository of the registry that has it. @returns which */
async function mounted({ client, repository, signal, store }: Push, digest: Digest): Promise<string | undefined> {
  const domain = repository.slice(0, repository.indexOf('/') + 1)
  const sources = store.contents.repositories(digest).filter((one) => one.startsWith(domain) && one !== repository)
  for (const source of sources.slice(0, maxMounts)) {
    const path = source.slice(domain.length)
    if (await mountBlob(client, digest, path, signal)) return path
  }
  return undefined
}

/** Sends a blob of the content store. @param id under which progress is told; undefined tells none */
export async function pushBlob({ client, queue, registries, signal, store }: Push, { digest, size }: { readonly digest: Digest; readonly size: number }, id: string | undefined): Promise<void> {
  await uploadBlob(client, { digest, size, read: (start, end) => store.content.stream(digest, start, end) }, {
    attempts: registries.options.attempts,
    signal,
    ...(id === undefined ? {} : {
      onProgress: (bytes) => queue.bar(id, 'Pushing', bytes, size),
      onWait: (seconds) => queue.push(statusLine(id, `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`)),
    }),
  })
}
