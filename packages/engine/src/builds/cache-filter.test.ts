import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { BuildCacheRecord } from '../interface.ts'
import { cacheFilter } from './cache-filter.ts'
import { bytesToKeep } from './prune-cache.ts'

const record: BuildCacheRecord = {
  ID: 'abc123', Parents: ['def'], Type: 'regular', Description: 'RUN x', InUse: false, Shared: true, Size: 5,
  CreatedAt: '2026-01-01T00:00:00Z', LastUsedAt: '2026-01-01T00:00:00Z', UsageCount: 1,
}
const passes = (filters: Readonly<Record<string, string[]>>): boolean => cacheFilter(new Map(Object.entries(filters)))(record)

describe('filters of the build cache', () => {
  test('compare as Docker\'s do', () => {
    for (const filters of [{}, { id: ['bc1'] }, { id: ['^abc'] }, { id: ['123$'] }, { id: ['^a.*3$'] }, { parent: ['def'] }, { type: ['regular'] }, { description: ['RUN x'] }, { shared: [] }, { shared: ['true'] }, { inuse: ['false'] }, { until: ['24h'] }, { 'unused-for': ['1h'] }, { 'label!': ['x', 'y'] }]) {
      assert.equal(passes(filters), true, JSON.stringify(filters))
    }
    for (const filters of [{ id: ['^bc'] }, { id: ['12$'] }, { id: ['^abc$'] }, { id: ['3.*a'] }, { parent: ['de'] }, { type: ['reg'] }, { description: ['RUN'] }, { private: [] }, { inuse: [] }, { inuse: ['zz'] }, { until: ['2025-01-01'] }, { shared: ['true'], private: ['true'] }, { label: ['x', 'y'] }]) {
      assert.equal(passes(filters), false, JSON.stringify(filters))
    }
  })

  test('are refused in its words', () => {
    const cases: [Readonly<Record<string, string[]>>, string][] = [
      [{ foo: ['x'] }, "invalid filter 'foo'"], [{ mutable: ['true'] }, "invalid filter 'mutable'"], [{ toString: [] }, "invalid filter 'toString'"],
      [{ until: ['1h', '2h'] }, 'filters expect only one value'], [{ type: ['a', 'b'] }, 'filters expect only one value'],
      [{ until: ['1h'], 'unused-for': ['1h'] }, 'conflicting filters: "until" and "unused-for"'],
      [{ until: ['zz'] }, '"until" filter expects a duration (e.g., \'24h\') or a timestamp: failed to parse value as time or duration: "zz"'],
    ]
    for (const [filters, text] of cases) assert.throws(() => passes(filters), { code: 'invalid-argument', message: `failed to prune build cache: ${text}` })
  })

  test('leave what is reserved, and free what is wanted', () => {
    const keep = (reservedSpace: number, maxUsedSpace: number, minFreeSpace: number): number => bytesToKeep({ reservedSpace, maxUsedSpace, minFreeSpace }, 100, 50)
    assert.deepEqual([keep(0, 0, 0), keep(30, 0, 0), keep(0, 40, 0), keep(30, 40, 0), keep(0, 0, 60), keep(0, 70, 60), keep(95, 70, 60), keep(0, 0, 20)], [-1, 30, 40, 40, 90, 70, 95, 100])
  })
})
