import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { cacheKey, type CacheKey, type KeyParts } from '@engine/build'
import { openDatabase, type Database } from '../state/database.ts'
import { migrations } from '../state/migrations/index.ts'
import { BuildCacheTable } from './build-cache-table.ts'

function open(t: TestContext): { db: Database; table: BuildCacheTable } {
  const db = openDatabase(':memory:', migrations)
  t.after(() => db.close())
  return { db, table: new BuildCacheTable(db) }
}

const key = (instruction: string, parent = 'sha256:p', more: Partial<KeyParts> = {}): CacheKey => cacheKey({ parent, instruction, ...more })

test('an entry is found by its key alone', (t) => {
  const { table } = open(t)
  table.insert(key('a'), 'sha256:1', '2026-01-01T00:00:00Z')
  assert.equal(table.find(key('a')), 'sha256:1')
  assert.equal(table.find(key('b')), undefined)
  assert.equal(table.find(key('a', 'sha256:q')), undefined)
  table.insert(key('a'), 'sha256:2', '2026-01-02T00:00:00Z')
  assert.equal(table.find(key('a')), 'sha256:2')
  table.delete(key('a').digest)
  assert.equal(table.find(key('a')), undefined)
})

test('keys of steps from one image are kept for comparison, the last used first', (t) => {
  const { table } = open(t)
  const files = Array.from({ length: 6000 }, (_, index) => ({ path: String(index), digest: 'x' }))
  table.insert(key('a', 'sha256:p', { files }), 'sha256:1', '2026-01-01T00:00:00Z')
  table.insert(key('b'), 'sha256:2', '2026-01-02T00:00:00Z')
  table.insert(key('c', 'sha256:q'), 'sha256:3', '2026-01-03T00:00:00Z')
  assert.deepEqual(table.siblings(key('new')).map(({ instruction }) => instruction), ['b', 'a'])
  assert.deepEqual(table.siblings(key('c', 'sha256:other')).map(({ parent }) => parent), ['sha256:q'], 'the same instruction on another image')
  table.use(key('a', 'sha256:p', { files }), '2026-01-04T00:00:00Z')
  assert.deepEqual(table.siblings(key('new')).map(({ instruction, files: kept }) => [instruction, kept?.length]), [['a', 5000], ['b', undefined]])
})

test('entries of images that are gone go', (t) => {
  const { db, table } = open(t)
  const image = `sha256:${'1'.repeat(64)}`
  db.prepare("INSERT INTO images (id, config, parent, last_tag_time) VALUES (?, x'7b7d', '', '')").run(image)
  table.insert(key('kept'), image, 'now')
  table.insert(key('image gone'), 'sha256:gone', 'now')
  table.prune()
  assert.deepEqual(['kept', 'image gone'].map((name) => table.find(key(name))), [image, undefined])
  assert.deepEqual(table.all().map(({ instruction }) => instruction), ['kept'])
})
