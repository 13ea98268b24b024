import { familiarName, familiarRepository, fullName, hasBlob, parseReference, putManifest, RegistryError, withDefaultTag, type Reference } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { Images, Progress } from '../interface.ts'
import { checkPlatform } from './check-platform.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { pushBlob, pushLayers, type Push } from './push-layers.ts'
import { manifestOf, planPush } from './push-plan.ts'
import { isInterruption } from './registries.ts'
import { reporting } from './transfer-progress.ts'

/**
 * Sends an image to a registry, or with no tag all tags of a repository; yields Docker's progress and, at the end of each, its digest.
 * @throws EngineError in Docker's words, for a name that cannot be pushed before the first line
 */
export function pushImage(verbs: ImageVerbs, name: string, options: Parameters<Images['push']>[1], signal: AbortSignal): AsyncIterable<Progress> {
  return reporting(signal, async (queue, either) => {
    const { registries, store } = verbs
    const given = parseReference(options.tag === '' ? name : `${name}:${options.tag}`)
    if (given.digest !== undefined) throw new EngineError('invalid-argument', 'cannot push a digest reference')
    if (options.platform) refuseOther(verbs, given, options.platform)
    const repository = `${given.domain}/${given.path}`
    const endpoints = await registries.endpoints(given, 'push')
    queue.push({ status: `The push refers to repository [${repository}]` })
    const references = tagsOf(verbs, given)
    await using connections = registries.transport()
    for (const [at, endpoint] of endpoints.entries()) {
      const client = registries.client(connections.transport, endpoint, given, options.credentials, 'push')
      const push: Push = { registries, store, client, repository, queue, signal: either }
      try {
        // The way to the registry is found before anything is sent.
        await hasBlob(client, emptyDigest, either)
        for (const reference of references) await pushOne(verbs, push, reference, options.platform)
        return
      } catch (error) {
        if (either.aborted || at === endpoints.length - 1 || !isInterruption(error) || error instanceof RegistryError) throw translate(error)
      }
    }
  })
}

/** Said before anything is asked of the registry. @throws EngineError not-found */
function refuseOther({ store }: ImageVerbs, given: Reference, platform: string): void {
  const reference = withDefaultTag(given)
  checkPlatform(familiarName(reference), store.resolve(fullName(reference)), platform)
}

/** Docker's push says it without the request. */
function translate(error: unknown): unknown {
  const text = 'no basic auth credentials'
  return error instanceof EngineError && error.message.endsWith(text) ? new EngineError(error.code, text, { hint: error.hint, cause: error }) : error
}

/** Digest of nothing: asked for to see whether the registry answers. */
export const emptyDigest = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

function tagsOf({ store }: ImageVerbs, given: Reference): Reference[] {
  const missing = (): EngineError => new EngineError('not-found', `An image does not exist locally with the tag: ${familiarRepository(given)}`)
  if (given.tag !== undefined) {
    if (store.images.byName(fullName(given)) !== undefined) return [given]
    const isKnown = [...store.images.namesByImage().values()].flat().some((name) => isTagOf(name, given))
    throw isKnown ? new EngineError('not-found', `tag does not exist: ${familiarName(given)}`) : missing()
  }
  const names = [...store.images.namesByImage().values()].flat().filter((name) => isTagOf(name, given)).sort()
  if (names.length === 0) throw missing()
  return names.map(parseReference)
}

function isTagOf(name: string, { domain, path }: Reference): boolean {
  return name.startsWith(`${domain}/${path}:`) && !name.includes('@')
}

async function pushOne(verbs: ImageVerbs, push: Push, reference: Reference, platform: string | undefined): Promise<void> {
  const { store } = verbs
  const { client, queue, signal } = push
  const image = store.resolve(fullName(reference))
  if (platform) checkPlatform(familiarName(reference), image, platform)
  using _held = store.hold(image.id)
  const plan = await planPush(store, image)
  const layers = await pushLayers(push, plan.layers)
  for (const blob of [...plan.others, plan.config]) if (!(await hasBlob(client, blob.digest, signal))) await pushBlob(push, blob, undefined)
  const top = plan.top ?? manifestOf(plan.config, layers)
  for (const manifest of plan.manifests) await putManifest(client, manifest.digest, manifest, signal)
  const tag = reference.tag ?? 'latest'
  await putManifest(client, tag, top, signal)
  const digested = { domain: reference.domain, path: reference.path, digest: top.digest }
  store.images.setPulledName(fullName(digested), image.id)
  const size = top.bytes.length
  queue.push({ status: `${tag}: digest: ${top.digest} size: ${size}` })
  queue.push({ progressDetail: {}, aux: { Tag: tag, Digest: top.digest, Size: size } })
  verbs.events.publish('image', 'push', familiarName(reference), { ...image.config.config?.Labels, name: familiarRepository(reference) })
}
