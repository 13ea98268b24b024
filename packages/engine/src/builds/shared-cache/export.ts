import {
  chainId, digestHex, familiarName, hasBlob, hostPlatform, mediaTypes, parseManifest, parseReference, putManifest, RegistryError, withDefaultTag, writeImageConfig,
  type Credentials, type Digest, type ImageConfig, type RegistryClient,
} from '@engine/image'
import { EngineError } from '@engine/linux'
import type { ImageStore } from '../../images/image-store.ts'
import { layerBlob } from '../../images/push-blob.ts'
import { pushBlob, pushLayers } from '../../images/push-layers.ts'
import { emptyDigest } from '../../images/push.ts'
import { isInterruption, type Registries } from '../../images/registries.ts'
import { reporting } from '../../images/transfer-progress.ts'
import type { Progress } from '../../interface.ts'
import { cacheConfigType, withRecord, type RecordedStep } from './record.ts'

/** A step that a build has made or found: its key, and its image. */
export interface ExportedStep {
  readonly key: string
  readonly config: ImageConfig
}

/** Steps whose layers are all of an image's: those that it was made of. */
export function stepsOf(image: ImageConfig, steps: readonly ExportedStep[]): ExportedStep[] {
  const { diff_ids: all } = image.rootfs
  return steps.filter(({ config }) => config.rootfs.diff_ids.length <= all.length && config.rootfs.diff_ids.every((id, at) => id === all[at]))
}

/** What is told of a step: its last line of history says whether it made a layer. */
export function recordOf({ key, config }: ExportedStep): RecordedStep {
  return [key, config.history?.at(-1)?.empty_layer === true ? null : (config.rootfs.diff_ids.at(-1) ?? null)]
}

export interface ExportTools {
  readonly store: ImageStore
  readonly registries: Registries
  readonly credentialsFor: (domain: string) => Credentials | undefined
}

/** Sends steps and their layers to a registry, as a manifest that is a cache and no image; yields the progress of that. */
export function pushCache({ store, registries, credentialsFor }: ExportTools, ref: string, steps: readonly ExportedStep[], signal: AbortSignal): AsyncIterable<Progress> {
  return reporting(signal, async (queue, either) => {
    const reference = withDefaultTag(parseReference(ref))
    if (reference.digest !== undefined) throw new EngineError('invalid-argument', 'a cache cannot be pushed by digest')
    const records = steps.map(recordOf)
    const rows = [...new Map(steps.flatMap((step, at) => {
      const diffId = records[at]?.[1]
      if (diffId === null || diffId === undefined) return []
      const row = store.layers.get(digestHex(chainId(step.config.rootfs.diff_ids)))
      return row === undefined ? [] : [[diffId, row] as const]
    })).values()]
    const { architecture, os } = hostPlatform()
    const config = writeImageConfig(withRecord({ architecture, os, rootfs: { type: 'layers', diff_ids: rows.map(({ diffId }) => diffId) } }, records))
    await using connections = registries.transport()
    const client = await reachable((await registries.endpoints(reference, 'push')).map((endpoint) => registries.client(connections.transport, endpoint, reference, credentialsFor(reference.domain), 'push')), either)
    const push = { registries, store, client, repository: `${reference.domain}/${reference.path}`, queue, signal: either }
    const layers = await pushLayers(push, rows.map(layerBlob))
    await store.content.put(config.bytes, { sync: false })
    try {
      await pushBlob(push, { digest: config.id, size: config.bytes.length }, undefined)
    } finally {
      if (store.images.get(config.id) === undefined) await store.content.remove(config.id)
    }
    await putManifest(client, reference.tag ?? 'latest', manifestOf(config, layers), either)
    queue.push({ status: `cache pushed to ${familiarName(reference)}` })
  })
}

/** The first that the registry answers. @throws what the last one met */
async function reachable(clients: readonly RegistryClient[], signal: AbortSignal): Promise<RegistryClient> {
  for (const [at, client] of clients.entries()) {
    try {
      await hasBlob(client, emptyDigest, signal)
      return client
    } catch (error) {
      if (signal.aborted || at === clients.length - 1 || !isInterruption(error) || error instanceof RegistryError) throw error
    }
  }
  throw new EngineError('not-found', 'there is no way to the registry')
}

function manifestOf(config: { readonly id: Digest; readonly bytes: Buffer }, layers: readonly { readonly digest: Digest; readonly size: number; readonly mediaType: string }[]): Parameters<typeof putManifest>[2] {
  const ociType = (type: string): string => (type === mediaTypes.dockerLayer ? `${mediaTypes.ociLayer}+gzip` : type)
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: cacheConfigType, size: config.bytes.length, digest: config.id },
    layers: layers.map(({ digest, size, mediaType }) => ({ mediaType: ociType(mediaType), size, digest })),
  }
  const parsed = parseManifest(Buffer.from(JSON.stringify(document)), mediaTypes.ociManifest)
  if (parsed.kind !== 'manifest') throw new EngineError('internal', 'a manifest was made that is none')
  return parsed
}
