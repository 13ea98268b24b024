import type { Readable } from 'node:stream'
import { EngineError } from '@engine/linux'
import type { Dispatcher } from 'undici'
import { hostCertificates } from './certificates.ts'
import { ConnectionError, plainHttpReason } from './errors.ts'
import { isTrusted, type RegistryOptions } from './options.ts'
import { proxyFor } from './proxy.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Readable | Buffer | string
  readonly signal?: AbortSignal | undefined
}

/** An answer whose body has not been read; whoever has it reads or discards it. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Readable
  readonly url: URL
  /** Takes no interest in the body: a short one is read past, so that the connection can be used again. */
  discard(): void
}

/** Bytes that are read past rather than that a connection is closed. */
const maxDiscarded = 64 << 10

/** Milliseconds. A body that brings nothing for so long is broken off, and may be asked for again. */
const timeouts = { connect: 30_000, headers: 120_000, body: 30_000 }

/**
 * Connections for one pull, push, login or download, kept while it lasts. Follows no redirect and knows no credentials: that is its callers' part.
 * Proxies are those of the daemon's environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).
 */
export class Transport implements AsyncDisposable {
  readonly options: RegistryOptions
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>()
  readonly #strict: boolean

  /** @param how `strict`: certificates are valid, or nothing is sent */
  constructor(options: RegistryOptions, how: { readonly strict?: boolean } = {}) {
    this.options = options
    this.#strict = how.strict ?? false
  }

  /**
   * Sends one request. Certificates must be valid, unless the host is insecure by configuration or is this machine, and nothing strict was asked for.
   * @throws ConnectionError in Docker's words; EngineError cancelled
   */
  async send(method: Method, url: URL, options: SendOptions = {}): Promise<Answer> {
    const dispatcher = await this.#dispatcher(url)
    try {
      const { statusCode, headers, body } = await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: { 'user-agent': 'engine', ...options.headers },
        body: options.body ?? null,
        signal: options.signal ?? null,
        headersTimeout: timeouts.headers,
        bodyTimeout: timeouts.body,
        // undici closes a connection after HEAD otherwise, for servers that answer it with a body; registries do not.
        reset: false,
      })
      return {
        status: statusCode,
        headers,
        body,
        url,
        discard: () => {
          body.on('error', () => undefined)
          void body.dump({ limit: maxDiscarded }).catch(() => undefined)
        },
      }
    } catch (error) {
      throw connectionError(error, options.signal, `${method.charAt(0)}${method.slice(1).toLowerCase()} ${JSON.stringify(shown(url))}: `, url)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = await Promise.allSettled(this.#dispatchers.values())
    await Promise.allSettled(all.flatMap((one) => (one.status === 'fulfilled' ? [one.value.destroy()] : [])))
    this.#dispatchers.clear()
  }

  #dispatcher(url: URL): Promise<Dispatcher> {
    const dispatcher = this.#dispatchers.get(url.origin) ?? this.#connect(url)
    this.#dispatchers.set(url.origin, dispatcher)
    return dispatcher
  }

  async #connect(url: URL): Promise<Dispatcher> {
    const { host } = url
    const proxy = proxyFor(url)
    const { context, own } = await hostCertificates(host, this.options.certificates)
    // Loaded with the first request: most daemons speak to no registry for most of their life.
    const { Agent, ProxyAgent } = await import('undici')
    const tls = { secureContext: context, rejectUnauthorized: this.#strict || !(await isTrusted(host, own, this.options)), timeout: timeouts.connect }
    if (proxy === undefined) return new Agent({ connect: tls, allowH2: false })
    const token = proxy.username === '' ? undefined : `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}`
    // Plain HTTP is asked of the proxy itself, as everybody does: many let nobody through to port 80.
    return new ProxyAgent({ uri: proxy.origin, requestTls: tls, allowH2: false, proxyTunnel: url.protocol === 'https:', ...(token === undefined ? {} : { token }) })
  }
}

/** A URL without what may be secret in it: signatures in the query of redirects, and user information. */
export function shown(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`
}

/** What a failure of a connection or a body becomes. @param prefix `Get "https://…": ` */
export function connectionError(error: unknown, signal: AbortSignal | undefined, prefix: string, url: URL): EngineError {
  if (error instanceof EngineError) return error
  if (signal?.aborted === true) return new EngineError('cancelled', 'context canceled', { cause: error })
  const { code = '', message } = deepest(error)
  return new ConnectionError(codeOf(code, message), `${prefix}${describe(code, message, url)}`, error)
}

/** Node tries several addresses of a name and tells of all; the last is what a user should hear. */
function deepest(error: unknown): NodeJS.ErrnoException {
  if (error instanceof AggregateError && error.errors.length > 0) return deepest(error.errors.at(-1))
  if (error instanceof Error && error.cause instanceof Error) return deepest(error.cause)
  return error instanceof Error ? error : new Error(String(error))
}

function codeOf(code: string, message: string): string {
  return isPlainHttp(code, message) ? plainHttpReason : code
}

function isPlainHttp(code: string, message: string): boolean {
  return code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG' || /wrong version number|packet length too long/.test(message)
}

/** Go's words for what Node's codes say. */
function describe(code: string, message: string, url: URL): string {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  const dial = `dial tcp ${url.hostname}:${port}`
  if (isPlainHttp(code, message)) return 'http: server gave HTTP response to HTTPS client'
  switch (code) {
    case 'ECONNREFUSED': return `${dial}: connect: connection refused`
    case 'EHOSTUNREACH': return `${dial}: connect: no route to host`
    case 'ENETUNREACH': return `${dial}: connect: network is unreachable`
    case 'ENOTFOUND': return `dial tcp: lookup ${url.hostname}: no such host`
    case 'EAI_AGAIN': return `dial tcp: lookup ${url.hostname}: Temporary failure in name resolution`
    case 'ECONNRESET': case 'EPIPE': return `${dial}: connection reset by peer`
    case 'UND_ERR_CONNECT_TIMEOUT': case 'ETIMEDOUT': return `${dial}: i/o timeout`
    case 'UND_ERR_HEADERS_TIMEOUT': return 'net/http: timeout awaiting response headers'
    case 'UND_ERR_BODY_TIMEOUT': return 'net/http: timeout awaiting the rest of the response'
    case 'UND_ERR_SOCKET': return 'unexpected EOF'
    case 'DEPTH_ZERO_SELF_SIGNED_CERT': case 'SELF_SIGNED_CERT_IN_CHAIN': case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE': case 'UNABLE_TO_GET_ISSUER_CERT': case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority'
    case 'CERT_HAS_EXPIRED': return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid'
    case 'ERR_TLS_CERT_ALTNAME_INVALID': return `tls: failed to verify certificate: x509: certificate is not valid for ${url.hostname}`
    default: return message === '' ? code : message
  }
}
