import {
  findManifest, fullName, headManifest, familiarName, familiarRepository, getManifest, listTags, parseManifest, parsePlatform, parseReference, parseRepositoryTag, RegistryError, storedName,
  type Credentials, type Digest, type Platform, type Reference, type RegistryClient,
} from '@engine/image'
import { EngineError } from '@engine/linux'
import type { Images, Progress } from '../interface.ts'
import type { ImageContent } from '../state/image-contents-table.ts'
import type { LayerRow } from '../state/layers-table.ts'
import { atEndpoints } from './at-endpoints.ts'
import { dropFetched, dropStale } from './drop-fetched.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { pullAttachments } from './pull-attachments.ts'
import { pullLayers } from './pull-layers.ts'
import { planPull, type PullPlan } from './pull-plan.ts'
import { isInterruption } from './registries.ts'
import { reporting, type ProgressQueue } from './transfer-progress.ts'

interface Pull {
  readonly reference: Reference
  readonly platform: Platform | undefined
  readonly credentials: Credentials | undefined
  readonly queue: ProgressQueue
  readonly signal: AbortSignal
}

/**
 * Pulls an image, or with neither tag nor digest all tags of a repository; yields Docker's progress. What is wrong before anything is
 * fetched is thrown before the first line.
 * @throws EngineError in Docker's words
 */
export function pullImage(verbs: ImageVerbs, ref: string, options: Parameters<Images['pull']>[1], signal: AbortSignal): AsyncIterable<Progress> {
  return reporting(signal, async (queue, either) => {
    const reference = parseReference(ref.replace(/:$/, ''))
    if (reference.path === 'library/scratch' && reference.domain === 'docker.io') throw new EngineError('forbidden', "'scratch' is a reserved name")
    const platform = options.platform ? parsePlatform(options.platform) : undefined
    await dropStale(verbs)
    await pullReference(verbs, { reference, platform, credentials: options.credentials, queue, signal: either })
    warnOfPlatform(verbs, reference, options.platform, queue)
    const name = reference.tag === undefined && reference.digest === undefined ? familiarRepository(reference) : familiarName(reference)
    const found = verbs.store.images.byName(storedName(reference))
    if (found !== undefined) verbs.store.used(found)
    const labels = found === undefined ? {} : verbs.store.images.get(found)?.config.config?.Labels
    verbs.events.publish('image', 'pull', name, { ...labels, name: familiarRepository(reference) })
  })
}

async function pullReference(verbs: ImageVerbs, pull: Pull): Promise<void> {
  const { reference, credentials, signal } = pull
  try {
    await atEndpoints(verbs, reference, credentials, signal, (client) => pullFrom(verbs, client, pull))
  } catch (error) {
    throw translate(error, reference)
  }
}

async function pullFrom(verbs: ImageVerbs, client: RegistryClient, pull: Pull): Promise<void> {
  const { reference, queue, signal } = pull
  const isAll = reference.tag === undefined && reference.digest === undefined
  const tags = isAll ? await listTags(client, signal) : [undefined]
  let isNew = false
  for (const tag of tags) {
    // A registry's tag is a stranger's text: it passes the pattern of references before it is used.
    const one = tag === undefined ? reference : parseRepositoryTag(fullName(reference), tag)
    if (await pullOne(verbs, client, { ...pull, reference: one })) isNew = true
  }
  const shown = isAll ? familiarRepository(reference) : familiarName(reference)
  queue.push({ status: isNew ? `Status: Downloaded newer image for ${shown}` : `Status: Image is up to date for ${shown}` })
}

/** @returns whether something changed here */
async function pullOne(verbs: ImageVerbs, client: RegistryClient, pull: Pull): Promise<boolean> {
  const { store } = verbs
  const { reference, platform, queue, signal } = pull
  const what = reference.digest ?? reference.tag ?? 'latest'
  // A digest that the client named is not the registry's to choose.
  const digest = reference.digest ?? (await headManifest(client, what, signal))?.digest
  const begin = (): void => queue.push({ status: `Pulling from ${reference.domain === 'docker.io' ? reference.path : familiarRepository(reference).slice(reference.domain.length + 1)}`, id: reference.digest === undefined ? what : fullName(reference) })
  if (digest !== undefined && platform === undefined && (await isCurrent(verbs, reference, digest))) {
    begin()
    queue.push({ status: `Digest: ${digest}` })
    return false
  }
  const top = await getManifest(client, digest ?? what, undefined, signal)
  begin()
  using _held = store.hold(`pull ${fullName(reference)}`)
  const plan = await planPull(client, store, top, platform, verbs.limits, signal)
  const isNew = await fetchImage(verbs, client, plan, pull)
  queue.push({ status: `Digest: ${top.digest}` })
  return isNew
}

/** Whether a reference is what the registry has: nothing need be asked any more. */
async function isCurrent({ store }: ImageVerbs, reference: Reference, digest: Digest): Promise<boolean> {
  const image = store.images.byName(storedName(reference))
  if (image === undefined || store.images.byName(digestName(reference, digest)) !== image) return false
  const found = store.contents.ofImage(image).filter((content) => content.digest === digest)
  if (found.some(({ role }) => role === 'manifest')) return true
  // Of an index another platform's image may have been asked for before.
  const [index] = found
  if (index === undefined || !(await store.content.has(digest))) return false
  const parsed = parseManifest(await store.content.read(digest), index.mediaType)
  const own = parsed.kind === 'index' ? findManifest(parsed, undefined) : undefined
  return found.some(({ manifest }) => manifest === own?.digest)
}

async function fetchImage(verbs: ImageVerbs, client: RegistryClient, plan: PullPlan, pull: Pull): Promise<boolean> {
  const { registries, store } = verbs
  const blobs = plan.manifest.layers.map(({ digest }) => digest)
  const done = registries.want(blobs)
  try {
    const isHere = store.images.get(plan.image.id) !== undefined
    const layers = isHere ? [] : await pullLayers(registries, store, client, plan, pull.queue, pull.signal)
    const attachments = await pullAttachments(store, client, plan, pull.signal)
    const isNew = await commit(verbs, plan, layers, attachments, pull)
    done()
    return isNew
  } catch (error) {
    store.abandon()
    const own = done()
    if (!isInterruption(error)) await dropFetched(verbs, own)
    throw error
  }
}

/** Makes the image of what was fetched: everything on the disk first, then all rows at once. */
async function commit({ store }: ImageVerbs, plan: PullPlan, layers: readonly LayerRow[], attachments: readonly ImageContent[], { reference }: Pull): Promise<boolean> {
  const { top, manifest, image } = plan
  for (const { bytes } of new Set([top, manifest, image])) await store.content.put(bytes, { sync: false })
  await store.overlay.sync()
  const contents: ImageContent[] = [
    ...(top === manifest ? [] : [{ digest: top.digest, mediaType: top.mediaType, size: top.bytes.length, role: 'index' as const, manifest: manifest.digest }]),
    { digest: manifest.digest, mediaType: manifest.mediaType, size: manifest.bytes.length, role: 'manifest', manifest: manifest.digest },
    ...attachments,
  ]
  for (const { digest, mediaType, size } of manifest.layers) {
    if (await store.content.has(digest)) contents.push({ digest, mediaType, size, role: 'layer', manifest: manifest.digest })
  }
  const names = reference.digest === undefined ? [fullName(reference), digestName(reference, top.digest)] : [digestName(reference, top.digest)]
  const isNew = names.some((name) => store.images.byName(name) !== image.id)
  store.insert(image, '', layers, () => {
    for (const content of contents) store.contents.insert(image.id, content)
    for (const name of names) store.images.setPulledName(name, image.id)
    for (const { digest } of manifest.layers) {
      store.contents.endFetch(digest)
      store.contents.noteRepository(digest, `${reference.domain}/${reference.path}`)
    }
  })
  return isNew
}

function digestName({ domain, path }: Reference, digest: Digest): string {
  return fullName({ domain, path, digest })
}

/** Docker says so where an image is not what was asked for and there is no other. */
function warnOfPlatform({ store }: ImageVerbs, reference: Reference, platform: string | undefined, queue: ProgressQueue): void {
  if (!platform || (reference.tag === undefined && reference.digest === undefined)) return
  try {
    store.find(familiarName(reference), platform)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    queue.push({ status: `WARNING: ${error.message}` })
  }
}

/** What a registry says, in the words of `docker pull` (moby distribution/errors.go, translatePullError). */
export function translate(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error
  switch (error.reason) {
    case 'MANIFEST_UNKNOWN': return new EngineError('not-found', `manifest for ${familiarName(reference)} not found: ${error.message}`, { cause: error })
    case 'NAME_UNKNOWN': return new EngineError('not-found', `repository ${familiarRepository(reference)} not found: ${error.message}`, { cause: error })
    case 'BLOB_UNKNOWN': return new EngineError('not-found', 'unknown blob', { cause: error })
    case 'DENIED': return new EngineError('not-found', `pull access denied for ${familiarRepository(reference)}, repository does not exist or may require 'docker login': ${error.message}`, { cause: error })
    default: return error
  }
}
