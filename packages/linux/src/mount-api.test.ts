import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fsconfig, fsopen, openTree } from './mount-api.ts'

test('a NUL byte in a name does not cut it short', () => {
  assert.throws(() => openTree(-100, '/tmp\0/x', 1), { code: 'invalid-argument' })
  assert.throws(() => fsopen('tmpfs\0x'), { code: 'invalid-argument' })
  assert.throws(() => fsconfig(-1, 'source', 'a\0b'), { code: 'invalid-argument' })
  assert.throws(() => fsconfig(-1, 'so\0urce', 'a'), { code: 'invalid-argument' })
})
