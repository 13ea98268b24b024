import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KeyFile } from '../cache.ts'
import { DigestMemory, SourceMemory } from './digest-memory.ts'

test('digests are remembered until the file changes, times set back or not', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'digest-memory-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'file')
  const memory = new DigestMemory()
  writeFileSync(file, 'one')
  memory.remember(statSync(file, { bigint: true }), 'just now')
  assert.equal(memory.find(statSync(file, { bigint: true })), undefined, 'what has just been written may be written again')
  await sleep(80)
  memory.remember(statSync(file, { bigint: true }), 'digest of one')
  assert.equal(memory.find(statSync(file, { bigint: true })), 'digest of one')
  const { mtime } = statSync(file)
  writeFileSync(file, 'two')
  utimesSync(file, mtime, mtime)
  assert.equal(memory.find(statSync(file, { bigint: true })), undefined)
})

test('descriptions of sources are remembered, the longest unused go when there are too many files', () => {
  const memory = new SourceMemory()
  const files = (count: number, digest: string): KeyFile[] => Array.from({ length: count }, (_, at) => ({ path: String(at), digest }))
  memory.remember('a', files(40_000, 'a'))
  memory.remember('b', files(40_000, 'b'))
  assert.equal(memory.find('a')?.[0]?.digest, 'a')
  memory.remember('c', files(40_000, 'c'))
  assert.deepEqual([memory.find('a')?.length, memory.find('b')?.length, memory.find('c')?.length], [40_000, undefined, 40_000])
  memory.remember('d', files(100_001, 'd'))
  assert.deepEqual([memory.find('d'), memory.find('c')?.length], [undefined, 40_000])
})
