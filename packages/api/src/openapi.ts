import * as z from 'zod'
import { responses } from './responses.ts'
import { routes, type OperationId, type Route } from './routes.ts'
import { ErrorResponse } from './schemas/error.ts'
import { API_VERSION } from './version.ts'

/** A JSON Schema, as zod writes it. */
export type JsonSchema = Readonly<Record<string, unknown>>

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required: boolean
  readonly schema: JsonSchema
}

export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>> }>>
}

/** OpenAPI 3.1, as far as it is used here. */
export interface OpenApiDocument {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string; readonly description: string; readonly license: { readonly name: string } }
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

/** Builds the description of the API (GET /openapi.json) from the schemas by which requests are read. */
export function openApiDocument(): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const [id, route] of Object.entries(routes) as [OperationId, Route][]) {
    const operations = (paths[route.path] ??= {})
    operations[route.method.toLowerCase()] = describe(id, route)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'engine',
      version: API_VERSION,
      description: 'The Docker Engine API as engine serves it. Every path may have a version before it: /v1.24 to /v1.51. ContainerExplain and OpenApi are engine’s own.',
      license: { name: 'Apache-2.0' },
    },
    servers: [{ url: `/v${API_VERSION}` }],
    paths,
    components: { schemas: { ErrorResponse: schemaOf(ErrorResponse, 'output') } },
  }
}

function describe(id: OperationId, route: Route): Operation {
  const answer = responses[id]
  return {
    operationId: id,
    tags: [/^[A-Z][a-z]+/.exec(id)?.[0] ?? id],
    parameters: [
      ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']): Parameter => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...queryParameters(route),
    ],
    ...(route.body === undefined ? {} : { requestBody: { required: route.bodyRequired === true, content: { 'application/json': { schema: schemaOf(route.body, 'input') } } } }),
    responses: {
      [route.status]: { description: 'success', ...(answer === undefined ? {} : { content: { 'application/json': { schema: schemaOf(answer, 'output') } } }) },
      default: { description: 'an error', content: { 'application/json': { schema: { $ref: '#/components/schemas/ErrorResponse' } } } },
    },
  }
}

function queryParameters({ query }: Route): Parameter[] {
  if (query === undefined) return []
  const { properties } = schemaOf(query, 'input')
  return Object.entries(properties as Readonly<Record<string, JsonSchema>>).map(([name, schema]) => ({ name, in: 'query', required: false, schema }))
}

/** What a client sends (`input`: before transforms) or gets (`output`). */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' })
  return rest
}
