import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { API_VERSION, readQuery, RequestError, shapeFor, splitVersion, type Method, type OperationId, type Route } from '@engine/api'
import { isClientGone } from './answer-stream.ts'
import { connectionOf, SENT, StatusAnswer, TextAnswer, type Call, type Daemon } from './call.ts'
import { readBody } from './request-body.ts'

/** A handler that has forgotten which operation it serves. */
export type AnyHandler = (call: Call) => Promise<unknown>

const versions = new WeakMap<IncomingMessage, string>()

/** fastify's `rewriteUrl`: takes the version off the path and keeps it. */
export function stripVersion(request: IncomingMessage): string {
  const { version, path } = splitVersion(request.url ?? '/')
  if (version !== undefined) versions.set(request, version)
  return path
}

/** The API version of a request's path; without one, the daemon's own. */
export function versionOf(request: IncomingMessage): string {
  return versions.get(request) ?? API_VERSION
}

/** fastify's `genReqId`: unique for ever, since the ledger keeps it. */
export function newRequestId(): string {
  return randomUUID()
}

/**
 * What fastify runs for one operation: reads the request, calls the handler with its cause set for the ledger, writes what it returns.
 * Errors go to fastify's error handler, or, when the answer has begun, break the connection off.
 */
export function serve(daemon: Daemon, operation: OperationId, route: Route, handler: AnyHandler) {
  return async (request: FastifyRequest, reply: FastifyReply, name: string): Promise<unknown> => {
    const url = request.raw.url ?? '/'
    const [path = '/', query = ''] = split(url)
    const run = async (): Promise<unknown> => {
      // Onto the connection's part and not by spreading it: its signal is made only for handlers that ask for it.
      const call = Object.assign(connectionOf(reply, daemon.closing), {
        daemon,
        engine: daemon.engine,
        version: versionOf(request.raw),
        name,
        query: route.query === undefined ? undefined : readQuery(route.query, query),
        body: await readBody(route, request.raw),
        request: request.raw,
      })
      return handler(call as Call)
    }
    try {
      const answer = await daemon.engine.causedBy({ request: `${request.method} ${path}`, id: request.id }, run)
      return send(reply, operation, route, versionOf(request.raw), answer)
    } catch (error) {
      if (!reply.raw.headersSent && !reply.sent) throw error
      if (!isClientGone(error)) request.log.error({ err: error }, 'a stream failed')
      reply.raw.destroy()
      return reply
    }
  }
}

function split(url: string): readonly string[] {
  const at = url.indexOf('?')
  return at < 0 ? [url] : [url.slice(0, at), url.slice(at + 1)]
}

function send(reply: FastifyReply, operation: OperationId, route: Route, version: string, answer: unknown): FastifyReply {
  if (answer === SENT) return reply
  if (answer instanceof StatusAnswer) return reply.code(answer.status).send()
  if (answer instanceof TextAnswer) return contentType(reply.code(route.status), 'text/plain; charset=utf-8').send(Buffer.from(answer.text))
  if (answer === undefined) return reply.code(route.status).send()
  const body = Buffer.from(`${JSON.stringify(shapeFor(version, operation, answer))}\n`)
  return contentType(reply.code(route.status), 'application/json').send(body)
}

/**
 * Sets the type of an answer that is sent as a Buffer: to other bodies fastify would add a charset, and the docker command wants exactly
 * `application/json`. Past fastify's own headers, which it writes in lower case: scripts look for Docker's spelling.
 */
export function contentType(reply: FastifyReply, type: string): FastifyReply {
  reply.raw.setHeader('Content-Type', type)
  return reply
}

type Served = (request: FastifyRequest, reply: FastifyReply, name: string) => Promise<unknown>

/** Names below these prefixes may hold slashes. */
const greedy = /^\/(images|distribution|plugins|networks|volumes)\/\{name\}(.*)$/
const greedyDelete = /^\/(images|distribution|plugins|networks|volumes|containers)\/\{name\}(.*)$/

/**
 * Puts routes into fastify. `/images/{name}/json` with names that hold slashes is beyond its router: those below one prefix share a
 * wildcard route, which looks at the end of the path.
 */
export class RouteTable {
  readonly #app: FastifyInstance
  readonly #suffixes = new Map<string, { readonly suffix: string; readonly served: Served }[]>()

  constructor(app: FastifyInstance) {
    this.#app = app
  }

  add(method: Method, path: string, served: Served): void {
    // A link is removed by its name, `web/db`.
    const match = (method === 'DELETE' ? greedyDelete : greedy).exec(path)
    if (match === null) {
      const url = path.replace('{name}', ':name')
      this.#app.route({ method, url, handler: (request, reply) => served(request, reply, parameter(request, 'name')) })
      return
    }
    const [, prefix = '', suffix = ''] = match
    const entries = this.#wildcard(method, `/${prefix}/*`)
    entries.push({ suffix, served })
    // `/networks/{name}` is looked at last.
    entries.sort((a, b) => b.suffix.length - a.suffix.length)
  }

  #wildcard(method: Method, url: string): { readonly suffix: string; readonly served: Served }[] {
    const key = `${method} ${url}`
    const known = this.#suffixes.get(key)
    if (known !== undefined) return known
    const entries: { readonly suffix: string; readonly served: Served }[] = []
    this.#suffixes.set(key, entries)
    this.#app.route({
      method,
      url,
      handler: (request, reply) => {
        const rest = parameter(request, '*')
        const entry = entries.find(({ suffix }) => rest.endsWith(suffix) && rest.length > suffix.length)
        if (entry === undefined) throw new RequestError('page not found', 404)
        return entry.served(request, reply, rest.slice(0, rest.length - entry.suffix.length))
      },
    })
    return entries
  }
}

function parameter(request: FastifyRequest, name: string): string {
  return (request.params as Readonly<Record<string, string | undefined>>)[name] ?? ''
}
