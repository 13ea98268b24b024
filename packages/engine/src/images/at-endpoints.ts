import { RegistryError, type Credentials, type Reference, type RegistryClient } from '@engine/image'
import type { ImageVerbs } from './image-verbs.ts'
import { isInterruption } from './registries.ts'

/**
 * Has `work` done with a registry, by the first way to it that serves: a mirror may lack the image, or be away.
 * @throws what the registry itself said; what went wrong last when none could be spoken to
 */
export async function atEndpoints<T>(
  { registries, log }: Pick<ImageVerbs, 'registries' | 'log'>,
  reference: Reference,
  credentials: Credentials | undefined,
  signal: AbortSignal,
  work: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  const endpoints = await registries.endpoints(reference, 'pull')
  await using connections = registries.transport()
  let failure: unknown
  for (const endpoint of endpoints) {
    try {
      return await work(registries.client(connections.transport, endpoint, reference, credentials, 'pull'))
    } catch (error) {
      // What the registry itself says counts; the next way to it is tried only when it could not be spoken to.
      if (signal.aborted || !(endpoint.mirror || (isInterruption(error) && !(error instanceof RegistryError)))) throw error
      log(endpoint.mirror ? 'info' : 'debug', { endpoint: endpoint.base, error: String(error) }, 'a registry did not serve; trying the next')
      failure = error
    }
  }
  throw failure
}
