import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkStorageOptions } from './storage-options.ts'

test('storage options are refused in Docker’s words', () => {
  checkStorageOptions({})
  const quotas = "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
  for (const [options, message] of [
    [{ size: '1G' }, quotas],
    [{ size: 'abc' }, quotas],
    [{ SIZE: '1G' }, quotas],
    [{ foo: '1', size: '1G' }, quotas],
    [{ foo: '1', SIZE: '1G' }, 'Unknown option foo'],
    [{ '': 'x' }, 'Unknown option '],
  ] as const) assert.throws(() => checkStorageOptions(options), { code: 'invalid-argument', message })
})
