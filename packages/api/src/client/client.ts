import { API_VERSION } from '../version.ts'
import { parseHost } from './dial.ts'
import { openHijacked, type Hijacked } from './hijack.ts'
import { readAnswer, send, type RequestOptions, type Response, type Target } from './request.ts'
import { openStream, type StreamResponse } from './stream.ts'

/**
 * One daemon. Each call opens a connection of its own. `path` is without version (`/containers/json`); every failure is an ApiError.
 * @example
 *   const client = connect('unix:///run/engine.sock')
 *   const { body } = await client.request<ContainerSummary[]>('GET', '/containers/json', { query: { all: true } })
 *   for await (const event of (await client.stream('GET', '/events')).lines<EventMessage>()) …
 *   const { socket, head, headers } = await client.hijack('POST', '/containers/x/attach', { query: { stream: true, stdout: true } })
 */
export interface Client {
  /** As it was given to `connect`. */
  readonly host: string
  /** Sends and reads the whole answer: JSON parsed, other text as a string, undefined for an empty body. */
  request<T = unknown>(method: string, path: string, options?: RequestOptions): Promise<Response<T>>
  /** Sends and resolves with the headers; the body is then read as `.lines()` (JSON) or `.body` (raw). */
  stream(method: string, path: string, options?: RequestOptions): Promise<StreamResponse>
  /** Sends with `Upgrade: tcp` and takes the connection over. */
  hijack(method: string, path: string, options?: RequestOptions): Promise<Hijacked>
}

/**
 * A client of the daemon at `host` (`unix:///run/engine.sock`, `tcp://10.0.0.1:2375`, `/path/to.sock`). Does not connect yet.
 * @param options.version API version to speak; '' leaves it to the daemon
 * @throws ApiError when `host` cannot be parsed
 */
export function connect(host: string, options: { readonly version?: string } = {}): Client {
  const version = options.version ?? API_VERSION
  const target: Target = { host, address: parseHost(host), prefix: version === '' ? '' : `/v${version}` }
  return {
    host,
    async request<T>(method: string, path: string, request: RequestOptions = {}) {
      return (await readAnswer(target, await send(target, method, path, request))) as Response<T>
    },
    stream: (method, path, request = {}) => openStream(target, method, path, request),
    hijack: (method, path, request = {}) => openHijacked(target, method, path, request),
  }
}
