import type { Readable } from 'node:stream'
import { EngineError } from '@engine/linux'
import { parseChallenges, type Challenge } from './challenge.ts'
import { basic, userAndPassword, type Credentials } from './credentials.ts'
import type { Endpoint } from './endpoint.ts'
import { answerError } from './errors.ts'
import { addressFrom } from './reach.ts'
import { readAll } from './read-all.ts'
import { askingAgain } from './retry.ts'
import { fetchToken, type Token } from './token.ts'
import { shown, type Answer, type Method, type Transport } from './transport.ts'

export interface RegistryRequest {
  readonly headers?: Readonly<Record<string, string>>
  /** Made anew for each attempt: the first may be answered with a challenge. */
  readonly body?: () => Readable | Buffer | string
  /** Statuses that are no error, besides 2xx. */
  readonly accept?: readonly number[]
  readonly signal?: AbortSignal | undefined
}

const maxRedirects = 10
/** Bytes of an error's text. */
const maxComplaint = 1 << 20
/** Milliseconds before its end at which a token is not used any more. */
const margin = 10_000

/**
 * One repository of a registry, by one endpoint: requests with whatever authentication is asked for. Nothing is sent unasked: the
 * first request has no credentials, and they go to no other host than the registry and the token service it names.
 */
export class RegistryClient {
  readonly endpoint: Endpoint
  /** `library/busybox` */
  readonly repository: string
  readonly transport: Transport
  readonly #credentials: Credentials | undefined
  readonly #actions: string
  #challenge: Challenge | undefined
  readonly #tokens = new Map<string, Promise<Token>>()
  /** Repositories that blobs may be mounted from, besides. */
  readonly #sources = new Set<string>()

  /** @param actions `pull`, or `pull,push` */
  constructor(transport: Transport, endpoint: Endpoint, repository: string, credentials: Credentials | undefined, actions: 'pull' | 'pull,push') {
    this.transport = transport
    this.endpoint = endpoint
    this.repository = repository
    // A mirror is another's server.
    this.#credentials = endpoint.mirror ? undefined : credentials
    this.#actions = actions
  }

  /** URL of something of the repository: `manifests/latest`. */
  url(path: string): URL {
    return new URL(`${this.endpoint.base}/v2/${this.repository}/${path}`)
  }

  /** Asks for the right to read another repository of the registry too, for the tokens to come. */
  mountFrom(repository: string): void {
    this.#sources.add(repository)
  }

  /**
   * Sends a request, answering a challenge, following redirects.
   * @returns an answer whose body the caller reads or destroys
   * @throws RegistryError for other statuses than 2xx and those accepted; ConnectionError
   */
  async send(method: Method, url: URL, request: RegistryRequest = {}): Promise<Answer> {
    let answer = await this.#follow(method, url, request)
    // Once for the challenge, once more for a token that was withdrawn.
    for (let attempt = 0; answer.status === 401 && attempt < 2; attempt++) {
      const challenge = choose(parseChallenges(answer.headers['www-authenticate']))
      if (challenge === undefined || (attempt === 1 && this.#challenge?.scheme === 'basic')) break
      this.#prepare(challenge, method, url)
      answer.discard()
      answer = await this.#follow(method, url, request)
    }
    if ((answer.status >= 200 && answer.status < 300) || request.accept?.includes(answer.status) === true) return answer
    const text = (await readAll(answer.body, maxComplaint, request.signal, url).catch(() => Buffer.alloc(0))).toString('utf8')
    throw answerError(answer.status, text, answer.headers)
  }

  /**
   * Fetches a document.
   * @param limit most bytes of it
   * @throws as {@link send}; EngineError invalid-argument for one that is larger
   */
  async fetch(url: URL, limit: number, request: RegistryRequest): Promise<{ readonly headers: Answer['headers']; readonly bytes: Buffer }> {
    return await this.asking(async () => {
      const { headers, body } = await this.send('GET', url, request)
      return { headers, bytes: await readAll(body, limit, request.signal, url) }
    }, request.signal)
  }

  /** Does what may be done twice again when the connection broke, or when the registry says when to come back. */
  asking<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return askingAgain(work, { attempts: this.transport.options.attempts, signal })
  }

  /** Notes how to authenticate. @throws EngineError when there is nothing to authenticate with */
  #prepare(challenge: Challenge, method: Method, url: URL): void {
    if (challenge.scheme === 'basic' && (this.#credentials === undefined || userAndPassword(this.#credentials) === undefined)) {
      const prefix = method === 'GET' || method === 'HEAD' ? `${method.charAt(0)}${method.slice(1).toLowerCase()} ${JSON.stringify(shown(url))}: ` : ''
      throw new EngineError('unauthorized', `${prefix}no basic auth credentials`, { hint: `log in to ${url.host} first` })
    }
    this.#challenge = challenge
    this.#tokens.clear()
  }

  async #follow(method: Method, start: URL, { headers = {}, body, signal }: RegistryRequest): Promise<Answer> {
    let url = start
    for (let count = 0; count <= maxRedirects; count++) {
      const authorization = url.origin === new URL(this.endpoint.base).origin ? await this.#authorization(signal) : undefined
      const answer = await this.transport.send(method, url, {
        headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
        ...(body === undefined ? {} : { body: body() }),
        signal,
      })
      const location = answer.headers['location']
      if (![301, 302, 303, 307, 308].includes(answer.status) || typeof location !== 'string') return answer
      answer.discard()
      url = addressFrom(url, location)
    }
    throw new EngineError('internal', `Get ${JSON.stringify(shown(start))}: stopped after ${maxRedirects} redirects`)
  }

  async #authorization(signal: AbortSignal | undefined): Promise<string | undefined> {
    if (this.#credentials?.registrytoken) return `Bearer ${this.#credentials.registrytoken}`
    if (this.#challenge === undefined) return undefined
    if (this.#challenge.scheme === 'basic') {
      const user = this.#credentials === undefined ? undefined : userAndPassword(this.#credentials)
      return user === undefined ? undefined : basic(user)
    }
    return `Bearer ${(await this.#token(this.#challenge, signal)).value}`
  }

  /** Docker asks for what it wants to do, whatever scope the challenge names; so one token serves all requests. */
  async #token(challenge: Challenge, signal: AbortSignal | undefined): Promise<Token> {
    const scopes = [`repository:${this.repository}:${this.#actions}`, ...[...this.#sources].map((source) => `repository:${source}:pull`)]
    const key = scopes.join(' ')
    const known = await this.#tokens.get(key)?.catch(() => undefined)
    if (known !== undefined && known.until - margin > Date.now()) return known
    const token = fetchToken(this.transport, this.endpoint, challenge, { scopes, credentials: this.#credentials, signal })
    // Met by whoever waits for it; a second one that fails must not end the daemon.
    token.catch(() => this.#tokens.delete(key))
    this.#tokens.set(key, token)
    return await token
  }
}

/** Tokens before passwords, which need not travel with each request. */
function choose(challenges: readonly Challenge[]): Challenge | undefined {
  return challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges.find(({ scheme }) => scheme === 'basic')
}
