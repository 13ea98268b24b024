import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cacheKey, compareKeys, type KeyParts } from './cache.ts'

const parts: KeyParts = { parent: 'sha256:p', instruction: 'COPY a b', settings: { chown: '1', workingDirectory: '/' }, files: [{ path: 'a', digest: 'x' }] }

test('equal parts have equal keys, whatever the order of settings', () => {
  assert.equal(cacheKey(parts).digest, cacheKey({ ...parts, settings: { workingDirectory: '/', chown: '1' } }).digest)
  assert.match(cacheKey(parts).digest, /^[0-9a-f]{64}$/)
})

test('every part counts, and none can pass for another', () => {
  const keys = [
    parts, { ...parts, parent: 'sha256:q' }, { ...parts, instruction: 'COPY a c' }, { ...parts, settings: { chown: '2', workingDirectory: '/' } },
    { ...parts, settings: { chown: '1' } }, { ...parts, files: [] }, { ...parts, files: [{ path: 'b', digest: 'x' }] }, { ...parts, files: [{ path: 'a', digest: 'y' }] },
    { parent: 'a', instruction: 'b,c' }, { parent: 'a,b', instruction: 'c' }, { parent: 'a"', instruction: 'c' },
  ].map((key) => cacheKey(key).digest)
  assert.equal(new Set(keys).size, keys.length)
})

test('two keys are compared part by part', () => {
  const other: KeyParts = { parent: 'sha256:p', instruction: 'COPY a b', settings: { workingDirectory: '/w', chmod: '7' }, files: [{ path: 'a', digest: 'y' }, { path: 'n', digest: 'z' }] }
  assert.deepEqual(compareKeys(parts, other), [
    { part: 'settings.chown', before: '1', after: undefined },
    { part: 'settings.workingDirectory', before: '/', after: '/w' },
    { part: 'files.a', before: 'x', after: 'y' },
    { part: 'settings.chmod', before: undefined, after: '7' },
    { part: 'files.n', before: undefined, after: 'z' },
  ])
  assert.deepEqual(compareKeys(parts, parts), [])
})
