import { readRegistryAuth } from '@engine/api'
import { writeProgress } from '../answer-stream.ts'
import { SENT, type Call, type Handlers } from '../call.ts'

/** Serves what is about registries: push, /distribution, search and /auth. A pull is one of two meanings of POST /images/create. */
export const registries: Handlers<'ImagePush' | 'ImageSearch' | 'DistributionInspect' | 'SystemAuth'> = {
  async ImagePush(call) {
    const { engine, name, query, signal } = call
    const lines = engine.images.push(name, { tag: query.tag, platform: query.platform, credentials: credentialsOf(call) }, signal)
    await writeProgress(lines, () => call.stream({ 'Content-Type': 'application/json' }))
    return SENT
  },

  ImageSearch: (call) => call.engine.images.search(call.query.term, { limit: call.query.limit, filters: call.query.filters, credentials: credentialsOf(call) }, call.signal),
  DistributionInspect: (call) => call.engine.images.distribution(call.name, credentialsOf(call), call.signal),
  SystemAuth: ({ engine, body, signal }) => engine.images.login(body ?? {}, signal),
}

/**
 * X-Registry-Auth of a request; never logged.
 * @throws RequestError 400 for one that is malformed; moby ignores it and then fails at the registry
 */
export function credentialsOf({ request }: Pick<Call, 'request'>): ReturnType<typeof readRegistryAuth> {
  const header = request.headers['x-registry-auth']
  return readRegistryAuth(typeof header === 'string' || header === undefined ? header : header[0])
}
