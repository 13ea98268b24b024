import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { EventFile } from './event-file.ts'
import { Events } from './events.ts'

const fail = (error: unknown): never => assert.fail(String(error))

test('events are there again after the next start, without the line that a crash has torn', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'engine-events-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'events')
  const events = new Events(new EventFile(path, 3, fail))
  for (const action of ['create', 'start', 'die', 'destroy']) events.publish('container', action, 'c', { image: 'i', name: 'n' })
  await turn()
  assert.equal(readFileSync(path, 'utf8').split('\n').length, 5)
  appendFileSync(path, '{"Type":"container","Act')
  using file = new EventFile(path, 3, fail)
  const again = new Events(file)
  again.publish('volume', 'create', 'v', { driver: 'local' })
  const seen = []
  for await (const event of again.stream({ since: 1n, until: 2n ** 62n, filters: new Map() }, AbortSignal.timeout(50))) seen.push(event)
  assert.deepEqual(seen.map(({ Action }) => Action), ['start', 'die', 'destroy', 'create'])
  assert.deepEqual([seen[0]?.status, seen[0]?.id, seen[0]?.from, typeof seen[0]?.timeNano], ['start', 'c', 'i', 'bigint'])
  assert.equal(new EventFile(path, 3, fail).past.length, 3)
})

test('the file does not grow for ever', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'engine-events-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'events')
  using file = new EventFile(path, 10, fail)
  const events = new Events(file)
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 100; i++) events.publish('container', 'x', 'c', { label: 'y'.repeat(1000) })
    await turn()
  }
  assert.ok(statSync(path).size < 5 << 20)
  assert.equal(new EventFile(path, 10, fail).past.length, 10)
})
