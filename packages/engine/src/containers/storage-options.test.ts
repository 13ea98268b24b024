import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkStorageOptions } from './storage-options.ts'

test('storage options are refused in Docker’s words', () => {
  assert.equal(checkStorageOptions({}, assert.fail), 0)
  const quotas = "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
  for (const [options, message] of [
    [{ size: '1G' }, quotas],
    [{ size: 'abc' }, quotas],
    [{ SIZE: '1G' }, quotas],
    [{ foo: '1', size: '1G' }, quotas],
    [{ foo: '1', SIZE: '1G' }, 'Unknown option foo'],
    [{ '': 'x' }, 'Unknown option '],
  ] as const) assert.throws(() => checkStorageOptions(options, () => false), { code: 'invalid-argument', message })
})

test('a size is read where there are project quotas', () => {
  const read = (options: Record<string, string>): number => checkStorageOptions(options, () => true)
  assert.deepEqual([read({ size: '10G' }), read({ SIZE: '20m' }), read({ size: '0' })], [10 * 2 ** 30, 20 * 2 ** 20, 0])
  assert.throws(() => read({ size: '1 parsec' }), { message: "invalid size: '1 parsec'" })
  assert.throws(() => read({ foo: '1', size: '1G' }), { message: 'Unknown option foo' })
})
