import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'

/** A schema of Swagger 2.0, as far as Docker's description of its API uses it. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly allOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly 'x-nullable'?: boolean
}

export interface ContractOperation {
  readonly operationId: string
  readonly method: string
  readonly path: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly type?: string; readonly required?: boolean; readonly schema?: Schema }[]
  readonly responses: Readonly<Record<string, { readonly schema?: Schema }>>
  readonly produces?: readonly string[]
}

interface Document {
  readonly definitions: Readonly<Record<string, Schema>>
  readonly paths: Readonly<Record<string, Readonly<Record<string, Omit<ContractOperation, 'method' | 'path'>>>>>
}

/** The description of Docker's API v1.51, beside the checkout. */
const file = join(import.meta.dirname, '../../../../shared/data/api/v1.51.yaml')

/** Docker's description of its API; what is not there cannot be compared with. */
export class Contract {
  readonly operations: readonly ContractOperation[]
  /** The oldest version whose answers have these shapes (moby, docs/CHANGELOG.md: v1.51 changed numbers only). */
  readonly since = '1.50'
  readonly #definitions: Readonly<Record<string, Schema>>

  private constructor(document: Document) {
    this.#definitions = document.definitions
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]): ContractOperation => ({
      ...operation, method: method.toUpperCase(), path: path.replace(/\{id\}/, '{name}'), parameters: operation.parameters ?? [],
    })))
  }

  static readonly isThere = existsSync(file)

  static load(): Contract {
    const text = readFileSync(file, 'utf8')
    // Reading YAML takes half a second; every file of tests does it.
    const directory = join(tmpdir(), 'engine-tests-cache')
    const cached = join(directory, `api-${createHash('sha256').update(text).digest('hex').slice(0, 16)}.json`)
    if (existsSync(cached)) return new Contract(JSON.parse(readFileSync(cached, 'utf8')) as Document)
    const document = parse(text) as Document
    mkdirSync(directory, { recursive: true })
    writeFileSync(`${cached}.${process.pid}`, JSON.stringify(document))
    renameSync(`${cached}.${process.pid}`, cached)
    return new Contract(document)
  }

  /** The operation of a request; `path` without version and query. */
  find(method: string, path: string): ContractOperation | undefined {
    const candidates = this.operations.filter((operation) => operation.method === method && pattern(operation.path).test(path))
    // `/containers/json` is also a container's name.
    return candidates.sort((a, b) => Number(a.path.includes('{')) - Number(b.path.includes('{')) || b.path.length - a.path.length)[0]
  }

  /** A schema with its reference followed and its parts put together. */
  resolve(schema: Schema): Schema {
    if (schema.$ref !== undefined) {
      const found = this.#definitions[schema.$ref.split('/').at(-1) ?? '']
      if (found === undefined) throw new Error(`${schema.$ref} is not there`)
      return this.resolve(found)
    }
    if (schema.allOf === undefined) return schema
    const parts = schema.allOf.map((part) => this.resolve(part))
    const scalar = parts.find(({ type }) => type !== undefined && type !== 'object')
    if (scalar !== undefined) return scalar
    return {
      type: 'object',
      properties: Object.assign({}, ...parts.map(({ properties }) => properties), schema.properties) as Record<string, Schema>,
      required: [...parts.flatMap(({ required }) => required ?? []), ...(schema.required ?? [])],
    }
  }

  /** What is wrong with an answer's body: a line each. Null stands for an empty list or map, and for anything that is no scalar, as Go writes it. */
  violations(given: Schema, value: unknown, path = ''): string[] {
    const schema = this.resolve(given)
    const type = schema.type ?? (schema.properties === undefined ? undefined : 'object')
    if (type === undefined) return []
    if (value === null) return type === 'object' || type === 'array' || schema['x-nullable'] === true ? [] : [`${path}: null for a ${type}`]
    if (type === 'array') {
      if (!Array.isArray(value)) return [`${path}: no list`]
      return value.flatMap((item, index) => (schema.items === undefined ? [] : this.violations(schema.items, item, `${path}[${index}]`)))
    }
    if (type === 'object') return isObject(value) ? this.#ofObject(schema, value, path) : [`${path}: no object`]
    const actual = Number.isInteger(value) && type === 'integer' ? 'integer' : typeof value
    if (actual !== type) return [`${path}: ${actual} for a ${type}`]
    return schema.enum !== undefined && !schema.enum.includes(value) && value !== '' ? [`${path}: ${JSON.stringify(value)} is not in the enumeration`] : []
  }

  #ofObject(schema: Schema, value: Readonly<Record<string, unknown>>, path: string): string[] {
    const found = (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${path}.${name}: missing`)
    for (const [name, item] of Object.entries(value)) {
      const property = schema.properties?.[name]
      if (property !== undefined) found.push(...this.violations(property, item, `${path}.${name}`))
      else if (isObject(schema.additionalProperties)) found.push(...this.violations(schema.additionalProperties, item, `${path}.${name}`))
      else if (schema.properties !== undefined && schema.additionalProperties === undefined) found.push(`${path}.${name}: not in the description`)
    }
    return found
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Names of images and plugins have slashes; others' have none, so that engine's own routes below a volume are not taken for the volume. */
function pattern(path: string): RegExp {
  const name = /^\/(images|distribution|plugins)\//.test(path) ? '.+' : '[^/]+'
  return new RegExp(`^${path.replace('{name}', name).replaceAll(/[.]json/g, '\\.json')}$`)
}
