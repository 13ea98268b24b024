import { EngineError } from '@engine/linux'
import { z } from 'zod'
import { digestOf, isDigest, type Digest } from '../digest.ts'
import type { RegistryClient } from './client.ts'
import { RegistryError } from './errors.ts'
import { acceptedManifests, maxManifestBytes, parseManifest, type Index, type Manifest } from './manifest.ts'
import { addressFrom } from './reach.ts'
import type { Answer } from './transport.ts'

/** Most tags of a repository, and most bytes of one page of them. */
const maxTags = 100_000
const maxPage = 8 << 20

const tagList = z.object({ tags: z.array(z.string()).nullish() })

/** What a registry has under a tag, as far as HEAD tells. */
export interface ManifestHead {
  readonly digest?: Digest
  readonly mediaType: string
  readonly size: number
}

/**
 * Asks what a tag or digest is, without fetching it: registries that count pulls do not count this.
 * @returns undefined when it does not say: GET does, or tells why not
 */
export async function headManifest(client: RegistryClient, reference: string, signal?: AbortSignal): Promise<ManifestHead | undefined> {
  const ask = (): Promise<Answer> => client.send('HEAD', client.url(`manifests/${reference}`), { headers: { accept: acceptedManifests }, signal })
  const answer = await client.asking(ask, signal).catch((error: unknown) => {
    // An answer to HEAD cannot say what is wrong; that to GET does.
    if (error instanceof RegistryError) return undefined
    throw error
  })
  if (answer === undefined) return undefined
  const { headers } = answer
  answer.discard()
  const digest = String(headers['docker-content-digest'] ?? '')
  return { ...(isDigest(digest) ? { digest } : {}), mediaType: typeOf(headers['content-type']), size: Number(headers['content-length'] ?? 0) }
}

/**
 * Fetches a manifest or an index.
 * @param expected its size, when a descriptor says it
 * @throws RegistryError; EngineError invalid-argument for one that is malformed or not what its digest says
 */
export async function getManifest(client: RegistryClient, reference: string, expected?: { readonly mediaType: string; readonly size: number }, signal?: AbortSignal): Promise<Manifest | Index> {
  const url = client.url(`manifests/${reference}`)
  const { headers, bytes } = await client.fetch(url, maxManifestBytes, { headers: { accept: acceptedManifests }, signal })
  if (isDigest(reference) && digestOf(bytes) !== reference) throw new EngineError('invalid-argument', `manifest verification failed for digest ${reference}`)
  if (expected !== undefined && bytes.length !== expected.size) throw new EngineError('invalid-argument', `manifest ${reference} has ${bytes.length} bytes instead of ${expected.size}`)
  return parseManifest(bytes, expected?.mediaType ?? typeOf(headers['content-type']))
}

/**
 * Fetches a small blob: an image's configuration.
 * @throws EngineError invalid-argument when it is not what its descriptor says, or larger than `limit`
 */
export async function getBlob(client: RegistryClient, { digest, size }: { readonly digest: Digest; readonly size: number }, limit: number, signal?: AbortSignal): Promise<Buffer> {
  if (size > limit) throw new EngineError('invalid-argument', `blob ${digest} is larger than ${limit} bytes`)
  const url = client.url(`blobs/${digest}`)
  const { bytes } = await client.fetch(url, size, { headers: { 'accept-encoding': 'identity' }, signal })
  if (bytes.length !== size || digestOf(bytes) !== digest) throw new EngineError('invalid-argument', `image config verification failed for digest ${digest}`)
  return bytes
}

/** All tags of a repository, page by page. */
export async function listTags(client: RegistryClient, signal?: AbortSignal): Promise<string[]> {
  const tags: string[] = []
  let url: URL | undefined = client.url('tags/list')
  while (url !== undefined) {
    const { headers, bytes } = await client.fetch(url, maxPage, { signal })
    const page = tagList.safeParse(parse(bytes.toString('utf8')))
    if (!page.success) throw new EngineError('internal', `the list of tags of ${client.repository} cannot be read`, { cause: page.error })
    tags.push(...(page.data.tags ?? []))
    if (tags.length > maxTags) throw new EngineError('invalid-argument', `${client.repository} has more than ${maxTags} tags`)
    // RFC 8288: <url>; rel="next"
    const next: string | undefined = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(headers['link'] ?? ''))?.[1]
    url = next === undefined ? undefined : addressFrom(url, next)
  }
  return tags
}

function typeOf(header: string | string[] | undefined): string {
  return String(header ?? '').split(';')[0]?.trim() ?? ''
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
