import { getBlob, getManifest, maxConfigBytes, parseImageConfig, parseReference, withDefaultTag, type Credentials, type Reference, type RegistryClient } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { DistributionInspect } from '../types/image-views.ts'
import { atEndpoints } from './at-endpoints.ts'
import type { ImageVerbs } from './image-verbs.ts'

/**
 * What a registry has under a name, without fetching it.
 * @throws EngineError in Docker's words
 */
export async function inspectDistribution(verbs: Pick<ImageVerbs, 'registries' | 'log'>, name: string, credentials: Credentials | undefined, signal: AbortSignal): Promise<DistributionInspect> {
  if (/^[0-9a-f]{64}$/.test(name)) throw new EngineError('invalid-argument', 'no manifest found for full image ID')
  const reference = withDefaultTag(parseReference(name))
  return await atEndpoints(verbs, reference, credentials, signal, (client) => inspect(client, reference, signal))
}

async function inspect(client: RegistryClient, { digest, tag = 'latest' }: Reference, signal: AbortSignal): Promise<DistributionInspect> {
  const top = await getManifest(client, digest ?? tag, undefined, signal)
  const Descriptor = { mediaType: top.mediaType, digest: top.digest, size: top.bytes.length }
  if (top.kind === 'index') return { Descriptor, Platforms: top.manifests.flatMap(({ platform }) => (platform ? [platform] : [])) }
  const { config } = parseImageConfig(await getBlob(client, top.config, maxConfigBytes, signal))
  const { architecture, os, variant } = config
  return { Descriptor, Platforms: [{ architecture, os, ...(variant === undefined ? {} : { variant }) }] }
}
