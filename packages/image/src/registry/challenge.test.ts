import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseChallenges } from './challenge.ts'

const read = (...headers: string[]): unknown => parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])

describe('WWW-Authenticate', () => {
  it('is read, quoted or not, several in one', () => {
    assert.deepEqual(read('Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"'), [['bearer', { realm: 'https://auth.example/token', service: 'registry', scope: 'repository:a/b:pull,push' }]])
    assert.deepEqual(read('Basic realm=x'), [['basic', { realm: 'x' }]])
    assert.deepEqual(read('Negotiate, Bearer realm = "a \\"b\\", c" , error=invalid_token,Basic realm=""'), [['negotiate', {}], ['bearer', { realm: 'a "b", c', error: 'invalid_token' }], ['basic', { realm: '' }]])
    assert.deepEqual(read('Negotiate YWJj==, Basic realm="x"'), [['negotiate', {}], ['basic', { realm: 'x' }]])
    assert.deepEqual(read('Digest a=1', 'Bearer REALM=y'), [['digest', { a: '1' }], ['bearer', { realm: 'y' }]])
  })

  it('that cannot be read ends the list', () => {
    assert.deepEqual(read('Bearer realm="never closed'), [['bearer', {}]])
    assert.deepEqual(read('', '=', '"x"'), [])
    assert.deepEqual(parseChallenges(undefined), [])
  })

  it('of any kind comes to an end', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', '=', '"', '\\', ',', ' ', '/'), maxLength: 40 }), (header) => void parseChallenges(header)))
  })
})
