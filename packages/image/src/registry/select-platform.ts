import { EngineError } from '@engine/linux'
import { hostPlatform, type Platform } from '../platform.ts'
import type { Index, IndexEntry } from './manifest.ts'

/** Annotations by which BuildKit's index tells what an entry is about (docs/attestations/attestation-storage.md). */
const referenceType = 'vnd.docker.reference.type'
const referenceDigest = 'vnd.docker.reference.digest'

/**
 * The entry of an index for a platform, as {@link findManifest} finds it.
 * @throws EngineError not-found in Docker's words
 */
export function selectManifest(index: Index, wanted: Platform | undefined): IndexEntry {
  const found = findManifest(index, wanted)
  if (found !== undefined) return found
  const platform = wanted ?? hostPlatform()
  throw new EngineError('not-found', `no matching manifest for ${format(acceptedPlatforms(platform)[0] ?? platform)} in the manifest list entries`)
}

/**
 * The entry of an index for a platform: of several the one closest to it, then the first (containerd/platforms, OnlyStrict and Less).
 * @param wanted undefined is this machine
 */
export function findManifest(index: Index, wanted: Platform | undefined): IndexEntry | undefined {
  const accepted = acceptedPlatforms(wanted ?? hostPlatform())
  const images = index.manifests.filter((entry) => !isAttachment(entry))
  for (const one of accepted) {
    const found = images.find((entry) => entry.platform?.os === one.os && entry.platform.architecture === one.architecture && (one.variant === undefined || variantOf(entry) === one.variant))
    if (found !== undefined) return found
  }
  // An index of one image without a platform: what registries' tools make of a plain manifest.
  const bare = images.filter((entry) => !entry.platform)
  return images.length === 1 ? bare[0] : undefined
}

/** What of an index belongs to an image without being one: attestations of it, and artifacts that name no other. */
export function attachmentsOf(index: Index, image: IndexEntry): IndexEntry[] {
  return index.manifests.filter((entry) => {
    if (!isAttachment(entry)) return false
    const about = entry.annotations?.[referenceDigest]
    return about === undefined || about === image.digest
  })
}

/** What an entry is said to be about, as BuildKit says it. */
export function referenceOf({ annotations }: IndexEntry): { readonly type: string | undefined; readonly about: string | undefined } {
  return { type: annotations?.[referenceType], about: annotations?.[referenceDigest] }
}

/** Whether an entry is no image that could run. */
export function isAttachment({ annotations, artifactType, platform }: IndexEntry): boolean {
  return annotations?.[referenceType] !== undefined || artifactType !== undefined || (platform?.os === 'unknown' && platform.architecture === 'unknown')
}

function variantOf({ platform }: IndexEntry): string {
  return platform?.variant ?? implied[platform?.architecture ?? ''] ?? ''
}

/** What an architecture without a variant means. */
const implied: Readonly<Record<string, string>> = { arm64: 'v8', arm: 'v7', amd64: 'v1' }

/** Platforms whose programs run on one, the closest first. */
function acceptedPlatforms({ os, architecture, variant }: Platform): Platform[] {
  const at = (arch: string, ...variants: readonly string[]): Platform[] => variants.map((one) => ({ os, architecture: arch, variant: one }))
  const down = (from: number, to: number): string[] => Array.from({ length: from - to + 1 }, (_, i) => `v${from - i}`)
  const level = Number(/^v(\d)/.exec(variant ?? '')?.[1])
  switch (architecture) {
    case 'amd64': return [...at('amd64', ...down(level || 1, 1)), { os, architecture: '386' }]
    case 'arm64': return [...at('arm64', 'v8'), ...at('arm', ...down(8, 5))]
    case 'arm': return at('arm', ...down(level || 7, 5))
    default: return [{ os, architecture, ...(variant === undefined ? {} : { variant }) }]
  }
}

function format({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined || (architecture === 'amd64' && variant === 'v1') ? [] : [variant])].join('/')
}
