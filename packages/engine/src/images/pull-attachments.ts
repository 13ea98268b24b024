import { getBlob, getManifest, type Index, type IndexEntry, type RegistryClient } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { ImageContent } from '../state/image-contents-table.ts'
import type { ImageStore } from './image-store.ts'
import type { PullPlan } from './pull-plan.ts'

/** Most bytes of what belongs to an image without being it; an SBOM of a large image has some. */
const maxBytes = 64 << 20

/**
 * Fetches what an index has about an image: attestations, artifacts. They are kept so that a push gives them along. One that the registry
 * does not have (a mirror that copied only images) or that is too large is left out; one that is wrong fails the pull.
 */
export async function pullAttachments(store: ImageStore, client: RegistryClient, { attachments, manifest }: PullPlan, signal: AbortSignal): Promise<ImageContent[]> {
  const kept: ImageContent[] = []
  let budget = maxBytes
  for (const entry of attachments) {
    try {
      const contents = await pullAttachment(store, client, entry, budget, signal)
      budget -= contents.reduce((total, { size }) => total + size, 0)
      kept.push(...contents.map((content) => ({ ...content, manifest: manifest.digest })))
    } catch (error) {
      if (!(error instanceof EngineError && error.code === 'not-found')) throw error
    }
  }
  return kept
}

async function pullAttachment(store: ImageStore, client: RegistryClient, entry: IndexEntry, budget: number, signal: AbortSignal): Promise<Omit<ImageContent, 'manifest'>[]> {
  const found = await getManifest(client, entry.digest, entry, signal)
  if (found.kind === 'index') return []
  const blobs = [found.config, ...found.layers]
  const total = blobs.reduce((sum, { size }) => sum + size, found.bytes.length)
  if (total > budget) return []
  for (const blob of blobs) if (!(await store.content.has(blob.digest))) await store.content.put(await getBlob(client, blob, budget, signal), { sync: false })
  await store.content.put(found.bytes, { sync: false })
  return [
    { digest: found.digest, mediaType: found.mediaType, size: found.bytes.length, role: 'attachment' },
    ...blobs.map(({ digest, mediaType, size }) => ({ digest, mediaType, size, role: 'attachment' as const })),
  ]
}

/** Whether all that an index names is kept, so that it can be pushed as it is. */
export function isComplete(index: Index, has: (entry: IndexEntry) => boolean): boolean {
  return index.manifests.every(has)
}
