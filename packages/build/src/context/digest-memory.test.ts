import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DigestMemory } from './digest-memory.ts'

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
