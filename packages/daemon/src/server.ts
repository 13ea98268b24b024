import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type ServerOptions as TlsOptions } from 'node:https'
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { API_VERSION, refuseVersion, RequestError, routes, unservedRoutes, MIN_API_VERSION, minorOf, type OperationId, type Route } from '@engine/api'
import type { Logger } from 'pino'
import type { Daemon } from './call.ts'
import { contentType, newRequestId, RouteTable, serve, stripVersion, versionOf } from './dispatch.ts'
import { errorAnswer, errorBody } from './error-handler.ts'
import { serveHijacks } from './hijack.ts'
import { handlers } from './routes/index.ts'
import { refusal } from './routes/swarm.ts'

/** The API, ready to be listened for: by `connections` on as many sockets as are wanted. */
export interface ApiServer {
  /** An HTTP server (HTTPS with `tls`) that serves the API; the caller listens. */
  server(tls?: TlsOptions): Server
}

/**
 * Builds the API: every operation of the contract, with and without a version before the path.
 * @param observe is called for each answer, for the metrics
 */
export async function buildApi(
  daemon: Daemon,
  log: Logger,
  observe: (operation: string, status: number, seconds: number) => void = () => undefined,
): Promise<ApiServer> {
  const loggerInstance: FastifyBaseLogger = log
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: newRequestId,
    rewriteUrl: stripVersion,
    exposeHeadRoutes: false,
    routerOptions: { ignoreDuplicateSlashes: true, maxParamLength: 4096 },
    // A URL that cannot be decoded meets neither hooks nor error handlers.
    frameworkErrors: (error, request, reply) => {
      setHeaders(reply.raw, daemon, request.id)
      const answer = errorAnswer(error)
      const body = errorBody(answer)
      reply.raw.writeHead(answer.status, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body)
    },
    schemaController: { compilersFactory: { buildValidator: () => noSchemas, buildSerializer: () => noSchemas } },
  })
  readBodiesOurselves(app)
  addHooks(app, daemon, observe)
  addErrorHandlers(app)
  addRoutes(app, daemon)
  await app.ready()
  const routing = (request: IncomingMessage, response: ServerResponse): void => app.routing(request, response)
  return {
    server(tls) {
      // Upgrades are taken in hijack.ts or not at all. Idle connections are left to the client, as Docker leaves them, and uploads
      // may take as long as they take. A build's arguments and labels are in its URL: headers are as long as Go's server allows.
      const options = { shouldUpgradeCallback: () => false, keepAliveTimeout: 0, requestTimeout: 0, requireHostHeader: false, maxHeaderSize: 1 << 20 }
      const server = tls === undefined ? createHttpServer(options, routing) : createHttpsServer({ ...options, ...tls }, routing)
      // A client that half-closes after its request still gets the answer.
      Object.assign(server, { httpAllowHalfOpen: true })
      serveHijacks(server, routing, tls === undefined ? 'connection' : 'secureConnection')
      return server
    },
  }
}

/** Requests are read and checked by zod (dispatch.ts); with this in their place fastify's own compilers (ajv and more) are never loaded. */
function noSchemas(): never {
  throw new Error('no route has a schema for fastify')
}

/** Bodies stay in the request's stream: JSON is read by dispatch.ts, archives by those who unpack them. */
function readBodiesOurselves(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
}

function addHooks(app: FastifyInstance, daemon: Daemon, observe: (operation: string, status: number, seconds: number) => void): void {
  app.addHook('onRequest', async (request, reply) => {
    setHeaders(reply.raw, daemon, request.id)
    if (request.is404) return
    const refused = refuseVersion(versionOf(request.raw))
    if (refused !== undefined) throw new RequestError(refused)
  })
  app.addHook('onResponse', async (request, reply) => {
    observe(`${request.method} ${request.routeOptions.url ?? 'unknown'}`, reply.statusCode, reply.elapsedTime / 1000)
  })
}

/** What every answer has. */
function setHeaders(response: ServerResponse, daemon: Daemon, requestId: string): void {
  response.setHeader('Api-Version', API_VERSION)
  response.setHeader('Docker-Experimental', 'false')
  response.setHeader('Ostype', 'linux')
  response.setHeader('Server', `Docker/${daemon.serverVersion} (linux)`)
  response.setHeader('X-Request-Id', requestId)
}

function addErrorHandlers(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const answer = errorAnswer(error)
    if (answer.unexpected) request.log.error({ err: error, request: request.id }, 'a request failed unexpectedly')
    else request.log.debug({ request: request.id, status: answer.status, message: answer.message }, `${request.method} ${request.raw.url ?? ''}`)
    reply.code(answer.status)
    if (answer.status === 304) return reply.send()
    // Clients from before 1.24 read errors as plain text.
    const old = minorOf(versionOf(request.raw)) < minorOf(MIN_API_VERSION)
    if (old) return contentType(reply, 'text/plain; charset=utf-8').send(Buffer.from(`${answer.message}\n`))
    return contentType(reply, 'application/json').send(errorBody(answer))
  })
  const notFound = errorBody(errorAnswer(new RequestError('page not found', 404)))
  app.setNotFoundHandler((_request, reply) => contentType(reply.code(404), 'application/json').send(notFound))
}

function addRoutes(app: FastifyInstance, daemon: Daemon): void {
  const table = new RouteTable(app)
  for (const [id, route] of Object.entries(routes) as [OperationId, Route][]) {
    table.add(route.method, route.path, serve(daemon, id, route, handlers[id]))
  }
  for (const [method, path, reason] of unservedRoutes) {
    table.add(method, path, (_request, _reply, name) => Promise.reject(refusal(reason, method, path, name)))
  }
  // Trailing slash: the one form of it that clients use (CHANGELOG, v1.25).
  const list: Route = routes.NetworkList
  table.add('GET', '/networks/', serve(daemon, 'NetworkList', list, handlers.NetworkList))
  app.route({ method: 'OPTIONS', url: '/*', handler: (_request, reply) => reply.code(200).send() })
}
