import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chainId, chainIds } from './chain-id.ts'
import { digestHex, digestOf, isDigest, parseDigest } from './digest.ts'

test('a digest is sha256 and 64 lower-case digits, nothing else', () => {
  const good = digestOf('x')
  assert.equal(parseDigest(good), good)
  assert.equal(digestHex(good).length, 64)
  for (const bad of ['', 'sha256:', `sha256:${'A'.repeat(64)}`, `sha256:${'a'.repeat(63)}`, `sha512:${'a'.repeat(128)}`, `sha256:../../${'a'.repeat(58)}`, `${good}\n`, `${good}/..`]) {
    assert.equal(isDigest(bad), false, bad)
    assert.throws(() => parseDigest(bad), { code: 'invalid-argument' }, bad)
  }
  assert.throws(() => parseDigest('sha256:abc'), { message: 'invalid checksum digest length' })
  assert.throws(() => parseDigest('sha999:abc'), { message: 'unsupported digest algorithm' })
})

test('chain IDs are those of the image specification', () => {
  const layers = [digestOf('a'), digestOf('b'), digestOf('c')]
  const [a, b, c] = layers
  assert.equal(chainId(layers.slice(0, 1)), a)
  assert.deepEqual(chainIds(layers), [a, digestOf(`${a} ${b}`), digestOf(`${digestOf(`${a} ${b}`)} ${c}`)])
  assert.equal(chainId(layers), chainIds(layers).at(-1))
})
