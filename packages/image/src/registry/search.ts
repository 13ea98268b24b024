import { EngineError } from '@engine/linux'
import { z } from 'zod'
import { basic, userAndPassword, type Credentials } from './credentials.ts'
import { endpointsOf } from './endpoint.ts'
import { ConnectionError } from './errors.ts'
import type { RegistryOptions } from './options.ts'
import { readAll } from './read-all.ts'
import { parseReference } from '../reference.ts'
import { Transport } from './transport.ts'

const maxAnswer = 8 << 20

const answer = z.object({
  results: z.array(z.object({
    name: z.string().default(''),
    description: z.string().nullish(),
    star_count: z.number().default(0),
    is_official: z.boolean().default(false),
    is_automated: z.boolean().default(false),
  })).nullish(),
})

/** One repository that was found; Docker's names. */
export interface SearchResult {
  readonly name: string
  readonly description: string
  readonly star_count: number
  readonly is_official: boolean
  readonly is_automated: boolean
}

/**
 * Looks for repositories in Docker Hub's index, or in that of the registry which `term` begins with (the first version of the
 * registry's API: no newer one has a search).
 * @throws EngineError in Docker's words
 */
export async function search(term: string, limit: number, credentials: Credentials | undefined, options: RegistryOptions, signal?: AbortSignal): Promise<SearchResult[]> {
  if (/:\/\//.test(term)) throw new EngineError('invalid-argument', `invalid repository name: repository name (${term}) should not have a scheme`)
  const { domain, rest } = split(term)
  const bases = domain === 'docker.io' ? ['https://index.docker.io'] : (await endpointsOf(domain, options, 'push')).map(({ base }) => base)
  await using transport = new Transport(options)
  const user = credentials === undefined ? undefined : userAndPassword(credentials)
  let failure: unknown
  for (const base of bases) {
    const url = new URL(`${base}/v1/search?q=${encodeURIComponent(rest)}&n=${limit}`)
    try {
      const { status, body } = await transport.send('GET', url, { headers: { ...(user === undefined ? {} : { authorization: basic(user) }), 'x-docker-token': 'true' }, signal })
      const text = (await readAll(body, maxAnswer, signal, url)).toString('utf8')
      if (status !== 200) throw new EngineError('internal', `Unexpected status code ${status}`)
      return read(text)
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      failure = new EngineError('internal', error.message.replace(JSON.stringify(`${base}/v1/search`), JSON.stringify(url.href)), { cause: error })
    }
  }
  throw failure
}

function read(text: string): SearchResult[] {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new EngineError('internal', 'error decoding registry search results', { cause })
  }
  const parsed = answer.safeParse(json)
  if (!parsed.success) throw new EngineError('internal', 'error decoding registry search results', { cause: parsed.error })
  return (parsed.data.results ?? []).map(({ description, ...one }) => ({ ...one, description: description ?? '' }))
}

/** The registry that a term begins with; what follows it is what is looked for. */
function split(term: string): { readonly domain: string; readonly rest: string } {
  const slash = term.indexOf('/')
  const first = term.slice(0, Math.max(slash, 0))
  if (slash < 0 || !(/[.:]/.test(first) || first === 'localhost')) return { domain: 'docker.io', rest: term }
  // The domain goes into a URL: checked as that of a reference.
  return { domain: parseReference(`${first}/x`).domain, rest: term.slice(slash + 1) }
}
