import fc from 'fast-check'
import { connect } from 'node:net'
import { openApiDocument, type JsonSchema, type Operation } from '@engine/api/openapi'

/** A request as bytes are made of it. */
export interface WrongRequest {
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly contentType: string
  readonly body: string | undefined
}

/** Operations that go out to other hosts: that these do not answer may be said by a 500, as Docker says it. */
const outward = /^(ImageCreate|ImagePush|ImageSearch|SystemAuth|DistributionInspect|SystemDataUsage)$/

const names = ['target', 'busybox', 'absent', 'bridge', '%00', '..%2f..%2fetc', '%2e%2e', 'f'.repeat(64), 'a%20b', '%f0%9f%90%b3', 'x'.repeat(300), '%ff', '-']

/** Texts that programs stumble over. Absolute paths among them exist: nothing is made on the host for a bind. */
const texts = ['', ' ', '/', '/etc/passwd', '..', '../..', 'target', 'busybox', 'bridge', 'host', 'container:target', 'none', '\0', 'a\nb', 'a\r\nX: y', '{}', '[]', '{"a":', 'null', 'true', '-1', '0', '1e400', '9'.repeat(40), '%s%n', '\u{1f433}', '\ud800', 'a'.repeat(5000), 'label', '{"label":["a"]}', '{"label":{"a":1}}', '80/tcp', 'a=b', 'a:b:c', 'all', '1h', 'SIGKILL', 'no-new-privileges']

const text: fc.Arbitrary<string> = fc.oneof(fc.constantFrom(...texts), fc.string({ unit: 'binary', maxLength: 20 }).map((value) => value.replace(/^\/+/, '')))
const number = fc.oneof(fc.constantFrom(0, -1, 1, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, -1e308, 0.5), fc.integer())
const junk: fc.Arbitrary<unknown> = fc.oneof(text, number, fc.constant(null), fc.boolean(), fc.constant([]), fc.constant({}), fc.jsonValue({ maxDepth: 3 }))

/** Values of a schema, with now and then one of another kind in their place. */
function values(schema: JsonSchema, depth = 0): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9, arbitrary: proper(schema, depth) }, { weight: 1, arbitrary: junk })
}

function proper(schema: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const { anyOf, type, properties, items, additionalProperties } = schema as { anyOf?: readonly JsonSchema[]; type?: string | readonly string[]; properties?: Readonly<Record<string, JsonSchema>>; items?: JsonSchema | false; additionalProperties?: JsonSchema | false }
  if (anyOf !== undefined) return fc.oneof(...anyOf.map((one) => proper(one, depth)))
  const kind = typeof type === 'string' ? type : type?.[0]
  switch (kind) {
    case 'string': return text
    case 'integer':
    case 'number': return number
    case 'boolean': return fc.boolean()
    case 'array': return items === undefined || items === false ? fc.array(number, { maxLength: 3 }) : fc.array(values(items, depth + 1), { maxLength: 3 })
    case 'object': {
      if (properties !== undefined && Object.keys(properties).length > 0) return fields(properties, depth)
      return additionalProperties ? fc.dictionary(text, values(additionalProperties, depth + 1), { maxKeys: 3 }) : fc.constant({})
    }
    default: return fc.constant(null)
  }
}

/** A few of an object's fields. */
function fields(properties: Readonly<Record<string, JsonSchema>>, depth: number): fc.Arbitrary<unknown> {
  return fc.subarray(Object.keys(properties), { maxLength: Math.min(Object.keys(properties).length, depth === 0 ? 6 : 3) }).chain((chosen) => fc.record(Object.fromEntries(chosen.map((name) => [name, values(properties[name] ?? {}, depth + 1)]))))
}

/** Requests to every operation with parameters and bodies that are wrong in one way or another, or happen to be right. */
export function wrongRequests(): fc.Arbitrary<WrongRequest> {
  const document = openApiDocument()
  const each = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).filter(([, { operationId }]) => !outward.test(operationId)).map(([method, operation]) => requests(method.toUpperCase(), path, operation)))
  return fc.oneof(...each)
}

function requests(method: string, path: string, operation: Operation): fc.Arbitrary<WrongRequest> {
  const query = operation.parameters.filter((parameter) => parameter.in === 'query')
  const schema = operation.requestBody?.content['application/json']?.schema
  const body = schema === undefined
    ? fc.option(fc.constantFrom('x', '{}', '\0'.repeat(600)), { nil: undefined, freq: 3 })
    : fc.oneof(
        { weight: 8, arbitrary: values(schema).map((value) => JSON.stringify(withImage(operation.operationId, value))) },
        { weight: 1, arbitrary: fc.constantFrom('', '{', '[', 'null', '"x"', '{}{}', '{"a":'.repeat(2000), '['.repeat(20_000), '{"Image":"busybox"}\0') },
        { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 50 }) },
      )
  return fc.record({
    name: fc.constantFrom(...names),
    version: fc.constantFrom('', '/v1.24', '/v1.30', '/v1.40', '/v1.44', '/v1.51', '/v1.23', '/v9.9', '/v1.x'),
    query: fc.subarray(query, { maxLength: Math.min(query.length, 5) }).chain((chosen) => fc.tuple(...chosen.map(({ name, schema: one }) => values(one).map((value) => `${name}=${encode(value)}`)))),
    contentType: fc.oneof({ weight: 9, arbitrary: fc.constant('application/json') }, { weight: 1, arbitrary: fc.constantFrom('text/plain', '', 'application/json; charset=x', 'application/x-tar') }),
    body,
  }).map((given): WrongRequest => ({
    operation: operation.operationId,
    method,
    path: `${given.version}${path.replace('{name}', given.name)}${given.query.length === 0 ? '' : `?${given.query.join('&')}`}`,
    contentType: given.contentType,
    body: given.body,
  }))
}

/** Most creations of an image that is there: what is wrong must be something else. */
function withImage(operation: string, value: unknown): unknown {
  return operation === 'ContainerCreate' && typeof value === 'object' && value !== null && !Array.isArray(value) ? { Image: 'busybox', Cmd: ['true'], ...value } : value
}

function encode(value: unknown): string {
  const written = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  try {
    return encodeURIComponent(written)
  } catch {
    // A lone surrogate.
    return '%ed%a0%80'
  }
}

/**
 * Sends a request on a connection of its own and breaks it off at the answer's headers: some answers go on until their client goes.
 * @returns the status; 'hang' without one in time; 'closed' when the connection ends without an answer
 */
export function statusOf(socketPath: string, request: WrongRequest, milliseconds = 30_000): Promise<{ readonly status: number | 'hang' | 'closed'; readonly text: string }> {
  return new Promise((resolve) => {
    const socket = connect(socketPath)
    let text = ''
    const end = (status: number | 'hang' | 'closed'): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ status, text })
    }
    const timer = setTimeout(() => end('hang'), milliseconds)
    socket.on('error', () => end('closed'))
    socket.on('close', () => end('closed'))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const status = /^HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n/.exec(text)?.[1]
      if (status !== undefined && status !== '100') end(Number(status))
    })
    const body = Buffer.from(request.body ?? '')
    socket.write(`${request.method} ${request.path} HTTP/1.1\r\nHost: d\r\n${request.contentType === '' ? '' : `Content-Type: ${request.contentType}\r\n`}${request.body === undefined ? '' : `Content-Length: ${body.length}\r\n`}\r\n`)
    socket.write(body)
  })
}
