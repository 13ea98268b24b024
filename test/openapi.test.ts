import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openApiDocument, type JsonSchema, type Operation } from '@engine/api/openapi'
import { Contract, type Schema } from './harness/answers/contract.ts'

/** In what engine's description is meant to differ from Docker's. */
const meant = new Set([
  // What engine's way of building has no use for.
  'ImageBuild: parameter outputs is missing',
  // Read by moby as a boolean, whatever its description says.
  'ImageBuild: parameter pull is "boolean", not string',
  'PutContainerArchive: parameter copyUIDGID is "boolean", not string',
  'PutContainerArchive: parameter noOverwriteDirNonDir is "boolean", not string',
  // moby does not read it either: an update cannot change the first process.
  'ContainerUpdate: body.Init is missing',
  // Required by name, and described nowhere: the size is Size.Unpacked.
  'ImageInspect: answer.Manifests[].ImageData.UnpackedSize is not required',
  'ImageList: answer[].Manifests[].ImageData.UnpackedSize is not required',
])

describe('the OpenAPI document', () => {
  const document = openApiDocument()
  const operations = new Map<string, Operation>(Object.values(document.paths).flatMap((methods) => Object.values(methods)).map((operation) => [operation.operationId, operation]))

  it('becomes a page that has every operation', async () => {
    const { documentationPage } = await import(join(import.meta.dirname, '../packages/setup/src/steps/api-page.mjs')) as { documentationPage(of: typeof document): string }
    const page = documentationPage(document)
    for (const id of operations.keys()) assert.ok(page.includes(`id="${id}"`), id)
    assert.ok(readFileSync(join(import.meta.dirname, '../docs/api.html'), 'utf8').startsWith(page.slice(0, 300)), 'npm run docs writes docs/api.html')
  })

  it('agrees with Docker’s description: operations, parameters, required fields, types', { skip: Contract.isThere ? false : 'the API description is not there' }, () => {
    const contract = Contract.load()
    const found: string[] = []
    // Operations of engine's own have paths of their own.
    const known = new Map(contract.operations.map(({ operationId, path }) => [path, operationId]))
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const { operationId } of Object.values(methods)) if (known.has(path) && !contract.operations.some((operation) => operation.operationId === operationId)) found.push(`${operationId}: not in the contract`)
    }
    for (const theirs of contract.operations) {
      const own = operations.get(theirs.operationId)
      if (own === undefined) continue
      const say = (text: string): void => void found.push(`${theirs.operationId}: ${text}`)
      for (const { name, type } of theirs.parameters.filter((parameter) => parameter.in === 'query')) {
        const parameter = own.parameters.find((one) => one.name === name)
        if (parameter === undefined) say(`parameter ${name} is missing`)
        else if (!sameParameter(type ?? '', parameter.schema)) say(`parameter ${name} is ${JSON.stringify(parameter.schema['type'])}, not ${type ?? ''}`)
      }
      const body = theirs.parameters.find((parameter) => parameter.in === 'body')?.schema
      const ownBody = own.requestBody?.content['application/json']?.schema
      if (body !== undefined && ownBody !== undefined) compare(contract, body, ownBody, 'body', 'input', say)
      const answer = theirs.responses['200']?.schema ?? theirs.responses['201']?.schema
      const ownAnswer = Object.entries(own.responses).find(([status]) => status.startsWith('2'))?.[1].content?.['application/json']?.schema
      if (answer !== undefined && ownAnswer !== undefined) compare(contract, answer, ownAnswer, 'answer', 'output', say)
    }
    assert.deepEqual(found.filter((line) => !meant.has(line)).sort(), [])
  })
})

function sameParameter(type: string, schema: JsonSchema): boolean {
  // Booleans are read by moby's rule, times and numbers of lines as texts that hold more than a number.
  return schema['type'] === type || (type === 'integer' && schema['type'] === 'string') || schema['type'] === 'array'
}

/** Every field that theirs requires in an answer must be required by ours; every one that ours knows must have its type. */
function compare(contract: Contract, given: Schema, own: JsonSchema, path: string, io: 'input' | 'output', say: (text: string) => void): void {
  const schema = contract.resolve(given)
  const type = schema.type ?? (schema.properties === undefined ? '' : 'object')
  const branches = branchesOf(own)
  const branch = branches.find((one) => typesOf(one).includes(type))
  if (branch === undefined) {
    if (type !== '' && branches.some((one) => typesOf(one).some((name) => name !== 'null')) && !(type === 'integer' && branches.some((one) => typesOf(one).includes('number')))) say(`${path} is ${branches.flatMap(typesOf).join(' or ')}, not ${type}`)
    return
  }
  if (type === 'array' && schema.items !== undefined && branch['items'] !== undefined && branch['items'] !== false) compare(contract, schema.items, branch['items'] as JsonSchema, `${path}[]`, io, say)
  if (type !== 'object') return
  const properties = (branch['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>
  if (typeof schema.additionalProperties === 'object' && typeof branch['additionalProperties'] === 'object') compare(contract, schema.additionalProperties, branch['additionalProperties'] as JsonSchema, `${path}.*`, io, say)
  if (schema.properties === undefined || Object.keys(properties).length === 0) return
  if (io === 'output') for (const name of schema.required ?? []) if (!((branch['required'] ?? []) as readonly string[]).includes(name)) say(`${path}.${name} is not required`)
  for (const [name, property] of Object.entries(schema.properties)) {
    const ownProperty = properties[name]
    if (ownProperty !== undefined) compare(contract, property, ownProperty, `${path}.${name}`, io, say)
    else if (io === 'input') say(`${path}.${name} is missing`)
  }
}

function branchesOf(schema: JsonSchema): JsonSchema[] {
  const any = schema['anyOf'] as readonly JsonSchema[] | undefined
  return any === undefined ? [schema] : any.flatMap(branchesOf)
}

function typesOf(schema: JsonSchema): string[] {
  const { type } = schema
  if (Array.isArray(type)) return type as string[]
  return typeof type === 'string' ? [type] : []
}
