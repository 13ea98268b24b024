import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readRegistryAuth, readRegistryConfig } from './registry-auth.ts'

// Bytes whose base64 has both letters that the alphabets differ in.
const auth = { username: 'u', password: '>>>???ÿ', serveraddress: 'r:5000' }
const standard = Buffer.from(JSON.stringify(auth)).toString('base64')

describe('X-Registry-Auth', () => {
  it('is read in both alphabets, padded or not', () => {
    const url = standard.replaceAll('+', '-').replaceAll('/', '_')
    assert.notEqual(url, standard)
    for (const header of [standard, url, url.replace(/=+$/, '')]) assert.deepEqual(readRegistryAuth(header), auth)
  })

  it('may be empty in several ways', () => {
    for (const header of [undefined, '', Buffer.from('{}').toString('base64'), Buffer.from('null').toString('base64')]) assert.equal(readRegistryAuth(header), undefined)
  })

  it('is refused when it is something else, without being repeated', () => {
    for (const header of ['{}', 'a b', Buffer.from('secret').toString('base64'), Buffer.from('[1]').toString('base64')]) {
      assert.throws(() => readRegistryAuth(header), (error: Error) => error.message.startsWith('invalid X-Registry-Auth') && !error.message.includes('secret'))
    }
  })
})

describe('X-Registry-Config', () => {
  it('has credentials by registry', () => {
    const header = Buffer.from(JSON.stringify({ 'r:5000': auth })).toString('base64url')
    assert.deepEqual(readRegistryConfig(header).get('r:5000'), auth)
    assert.equal(readRegistryConfig(undefined).size, 0)
    assert.throws(() => readRegistryConfig(Buffer.from('[]').toString('base64')))
  })
})
