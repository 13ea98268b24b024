import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setWindowSize } from './window-size.ts'

test('a size that is no number of characters is refused before the kernel sees it', () => {
  for (const [rows, columns] of [[-1, 0], [0, 65536], [1.5, 1], [Number.NaN, 1]] as const) {
    assert.throws(() => setWindowSize(-1, rows, columns), { code: 'invalid-argument' }, `${rows} ${columns}`)
  }
  assert.throws(() => setWindowSize(-1, 65535, 0), { errnoName: 'EBADF' })
})
