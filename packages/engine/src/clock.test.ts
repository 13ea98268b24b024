import assert from 'node:assert/strict'
import { test } from 'node:test'
import { now, parseRfc3339, rfc3339 } from './clock.ts'

test('times are written as Go writes them', () => {
  assert.equal(rfc3339(1795455646_653066620n), '2026-11-23T17:40:46.65306662Z')
  assert.equal(rfc3339(1795455646_000000000n), '2026-11-23T17:40:46Z')
  assert.equal(rfc3339(1795455646_000000001n), '2026-11-23T17:40:46.000000001Z')
})

test('times are read back with all their nanoseconds', () => {
  for (const moment of [1795455646_653066620n, 1795455646_000000000n, 1n + 1795455646_000000000n]) assert.equal(parseRfc3339(rfc3339(moment)), moment)
  assert.equal(parseRfc3339('2026-11-23T18:40:46.5+01:00'), 1795455646_500000000n)
  assert.equal(parseRfc3339('0001-01-01T00:00:00Z'), 0n)
  assert.equal(parseRfc3339('yesterday'), 0n)
})

test('now is what the wall clock says', () => {
  assert.ok(Math.abs(Number(now() / 1_000_000n) - Date.now()) < 10)
})
