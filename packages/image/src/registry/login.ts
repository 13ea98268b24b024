import { EngineError } from '@engine/linux'
import { STATUS_CODES } from 'node:http'
import { parseChallenges } from './challenge.ts'
import { basic, userAndPassword, type Credentials } from './credentials.ts'
import { endpointsOf, type Endpoint } from './endpoint.ts'
import { ConnectionError } from './errors.ts'
import { readAll } from './read-all.ts'
import { fetchToken } from './token.ts'
import { Transport } from './transport.ts'
import type { RegistryOptions } from './options.ts'

const hub = 'docker.io'

/** The domain that a login's address means: '' and Docker Hub's old addresses are `docker.io`. */
export function domainOfServer(address: string): string {
  const host = address.replace(/^https?:\/\//, '').split('/')[0] ?? ''
  return host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io' ? hub : host
}

/**
 * Asks a registry whether it takes credentials (POST /auth).
 * @returns an identity token, when the token service gave one; ''
 * @throws EngineError unauthorized in Docker's words
 */
export async function login(credentials: Credentials, options: RegistryOptions, signal?: AbortSignal): Promise<string> {
  const domain = domainOfServer(credentials.serveraddress ?? '')
  // Into a URL it goes from here: nothing but a host and a port.
  if (!/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/.test(domain)) throw new EngineError('invalid-argument', `unable to validate registry address ${JSON.stringify(domain)}`)
  await using transport = new Transport(options)
  let failure: unknown
  for (const endpoint of await endpointsOf(domain, options, 'push')) {
    try {
      return await loginAt(transport, endpoint, credentials, signal)
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      failure = error
    }
  }
  throw failure
}

async function loginAt(transport: Transport, endpoint: Endpoint, credentials: Credentials, signal: AbortSignal | undefined): Promise<string> {
  const url = new URL(`${endpoint.base}/v2/`)
  const ask = async (authorization?: string): Promise<Awaited<ReturnType<Transport['send']>>> => {
    const answer = await transport.send('GET', url, { headers: authorization === undefined ? {} : { authorization }, signal })
    await readAll(answer.body, 1 << 20, signal, url).catch(() => undefined)
    return answer
  }
  const first = await ask()
  if (first.status === 200) return ''
  const challenges = first.status === 401 ? parseChallenges(first.headers['www-authenticate']) : []
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
  const user = userAndPassword(credentials)
  if (bearer !== undefined) {
    const token = await fetchToken(transport, endpoint, bearer, { scopes: [], credentials, offline: true, signal }).catch((error: unknown) => {
      if (!(error instanceof EngineError) || error instanceof ConnectionError) throw error
      throw new EngineError(error.code, `Get ${JSON.stringify(url.href)}: ${error.message}`, { cause: error })
    })
    const { status } = await ask(`Bearer ${token.value}`)
    if (status === 200) return credentials.identitytoken ?? token.refresh ?? ''
    throw refused(url, status)
  }
  if (!challenges.some(({ scheme }) => scheme === 'basic') || user === undefined) throw refused(url, first.status)
  const { status } = await ask(basic(user))
  if (status !== 200) throw refused(url, status)
  return ''
}

function refused(url: URL, status: number): EngineError {
  return new EngineError(status === 401 ? 'unauthorized' : 'internal', `login attempt to ${url.href} failed with status: ${status} ${STATUS_CODES[status] ?? ''}`.trim())
}
