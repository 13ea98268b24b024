import { getManifest, parsePlatform, parseReference, withDefaultTag, type Credentials, type ImageConfig } from '@engine/image'
import { atEndpoints } from './at-endpoints.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { planPull } from './pull-plan.ts'
import { translate } from './pull.ts'

export interface LookUpOptions {
  /** Empty is the host's. */
  readonly platform: string
  readonly credentials: Credentials | undefined
}

/**
 * The configuration of an image that a registry has. Nothing else of it is fetched, and nothing is kept.
 * @throws EngineError in the words of a pull
 */
export async function lookUpImage(
  verbs: Pick<ImageVerbs, 'registries' | 'store' | 'limits' | 'log'>,
  name: string,
  options: LookUpOptions,
  signal: AbortSignal,
): Promise<ImageConfig> {
  const reference = withDefaultTag(parseReference(name))
  const platform = options.platform === '' ? undefined : parsePlatform(options.platform)
  try {
    return await atEndpoints(verbs, reference, options.credentials, signal, async (client) => {
      const top = await getManifest(client, reference.digest ?? reference.tag ?? 'latest', undefined, signal)
      return (await planPull(client, verbs.store, top, platform, verbs.limits, signal)).image.config
    })
  } catch (error) {
    throw translate(error, reference)
  }
}
