import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { routes, type Route } from './routes.ts'
import { unservedRoutes } from './unserved-routes.ts'

/** The description of Docker's API v1.51, beside the checkout. */
const contract = join(import.meta.dirname, '../../../../shared/data/api/v1.51.yaml')

interface Described {
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly query: string[]
}

/** Operations of the YAML: read by its indentation, which is regular, so that no YAML library is needed. */
function described(text: string): Described[] {
  const found: Described[] = []
  let path = ''
  let method = ''
  let parameter = ''
  for (const line of text.slice(text.indexOf('\npaths:')).split('\n')) {
    path = /^ {2}(\/\S*):$/.exec(line)?.[1] ?? path
    method = /^ {4}(get|post|put|delete|head):$/.exec(line)?.[1]?.toUpperCase() ?? method
    const operation = /^ {6}operationId: "?(\w+)"?$/.exec(line)?.[1]
    if (operation !== undefined) found.push({ operation, method, path: path.replace('{id}', '{name}'), query: [] })
    parameter = /^ {8}- name: "?([\w-]+)"?$/.exec(line)?.[1] ?? parameter
    if (/^ {10}in: "?query"?$/.test(line)) {
      // Some operations have their id after their parameters, so these go by method and path.
      queries.push([`${method} ${path.replace('{id}', '{name}')}`, parameter])
    }
  }
  for (const one of found) one.query.push(...queries.filter(([key]) => key === `${one.method} ${one.path}`).map(([, name]) => name))
  return found
}
const queries: [key: string, name: string][] = []

describe('the contract', () => {
  it('is served whole: each operation has a route or a reason', (t) => {
    if (!existsSync(contract)) return t.skip('the API description is not there')
    const operations = described(readFileSync(contract, 'utf8'))
    assert.equal(operations.length, 107)
    const unserved = new Set(unservedRoutes.map(([method, path]) => `${method} ${path}`))
    for (const { operation, method, path } of operations) {
      const route = Object.hasOwn(routes, operation) ? routes[operation as keyof typeof routes] : undefined
      if (route === undefined) assert.ok(unserved.has(`${method} ${path}`), `${operation}: ${method} ${path} is neither served nor refused`)
      else assert.deepEqual([route.method, route.path], [method, path], operation)
    }
    const known = new Set(operations.map(({ method, path }) => `${method} ${path}`))
    for (const key of unserved) assert.ok(known.has(key) || key === 'POST /grpc', `${key} is not in the contract`)
  })

  it('has its query parameters read', (t) => {
    if (!existsSync(contract)) return t.skip('the API description is not there')
    // What engine's way of building has no use for.
    const unread = new Set(['ImageBuild.outputs', 'ImageDelete.platforms', 'ContainerTop.ps_args'])
    for (const { operation, query } of described(readFileSync(contract, 'utf8'))) {
      const route: Route | undefined = Object.hasOwn(routes, operation) ? routes[operation as keyof typeof routes] : undefined
      if (route === undefined) continue
      for (const name of query) assert.ok(name in (route.query?.shape ?? {}) || unread.has(`${operation}.${name}`), `${operation} does not read ${name}`)
    }
  })
})
