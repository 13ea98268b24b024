import { EngineError } from '@engine/linux'
import { z } from 'zod'
import type { Challenge } from './challenge.ts'
import { basic, userAndPassword, type Credentials } from './credentials.ts'
import { answerError } from './errors.ts'
import { readAll } from './read-all.ts'
import { mayFollow } from './reach.ts'
import type { Endpoint } from './endpoint.ts'
import type { Transport } from './transport.ts'

/** A bearer token and how long it may be used. */
export interface Token {
  readonly value: string
  /** Milliseconds since the epoch. */
  readonly until: number
  /** To get others with, when `offline` was asked for. */
  readonly refresh?: string | undefined
}

export interface TokenRequest {
  readonly scopes: readonly string[]
  readonly credentials: Credentials | undefined
  /** Ask for a refresh token too: a login. */
  readonly offline?: boolean
  readonly signal?: AbortSignal | undefined
}

const answer = z.object({ token: z.string().optional(), access_token: z.string().optional(), refresh_token: z.string().optional(), expires_in: z.number().optional() })

/** Seconds that a token lasts whose server does not say so (distribution's token specification). */
const defaultLife = 60
const maxAnswer = 1 << 20

/**
 * Gets a token from the service that a challenge names: by an identity token (OAuth 2), by user name and password, or for anybody.
 * @throws EngineError unauthorized and others from the service; `forbidden` for a realm that must not have the credentials
 */
export async function fetchToken(transport: Transport, endpoint: Endpoint, challenge: Challenge, request: TokenRequest): Promise<Token> {
  const realm = readRealm(challenge, endpoint)
  const service = challenge.parameters.get('service') ?? ''
  const { credentials, signal } = request
  const sent = credentials?.identitytoken
    ? await transport.send('POST', realm, {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: credentials.identitytoken, service, client_id: 'engine', scope: request.scopes.join(' ') }).toString(),
        signal,
      })
    : await byPassword(transport, realm, service, request)
  const text = (await readAll(sent.body, maxAnswer, signal, realm)).toString('utf8')
  if (sent.status >= 300 && sent.status < 400) throw new EngineError('forbidden', `the token service ${realm.host} redirects to another place, which must not have the credentials`)
  if (sent.status !== 200) throw answerError(sent.status, text, sent.headers)
  const parsed = answer.safeParse(parse(text))
  const value = parsed.data?.token || parsed.data?.access_token
  if (!value || /[^\x21-\x7e]/.test(value)) throw new EngineError('internal', 'authorization server did not include a token in the response')
  const life = Math.max(parsed.data?.expires_in ?? defaultLife, defaultLife)
  return { value, until: Date.now() + life * 1000, refresh: parsed.data?.refresh_token }
}

async function byPassword(transport: Transport, realm: URL, service: string, { scopes, credentials, offline, signal }: TokenRequest): ReturnType<Transport['send']> {
  const user = credentials === undefined ? undefined : userAndPassword(credentials)
  const url = new URL(realm)
  if (service !== '') url.searchParams.append('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  if (offline === true) {
    url.searchParams.append('offline_token', 'true')
    url.searchParams.append('client_id', 'engine')
  }
  if (user !== undefined) url.searchParams.append('account', user.username)
  return await transport.send('GET', url, { headers: user === undefined ? {} : { authorization: basic(user) }, signal })
}

/**
 * Where the token service is. A registry may name any host, as Docker Hub does; but not one that a password sent to the registry by
 * TLS would reach in plain text, and not, from outside, an address of this machine or of a cloud's metadata (SSRF).
 */
function readRealm({ parameters }: Challenge, endpoint: Endpoint): URL {
  const realm = parameters.get('realm')
  if (realm === undefined) throw new EngineError('internal', 'no realm specified for token auth challenge')
  let url: URL
  try {
    url = new URL(realm)
  } catch (cause) {
    throw new EngineError('internal', `invalid token auth challenge realm: ${JSON.stringify(realm.slice(0, 200))}`, { cause })
  }
  const why = mayFollow(new URL(endpoint.base), url)
  if (why !== undefined) throw new EngineError('forbidden', `invalid token auth challenge realm: ${url.protocol}//${url.host}: ${why}`)
  return url
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
