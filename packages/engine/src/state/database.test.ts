import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openDatabase, transaction, type Migration } from './database.ts'
import { Intents } from './intents.ts'
import { migrations } from './migrations/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'engine-database-'))
after(() => rmSync(directory, { recursive: true }))

const first: Migration = { version: 1, up: (db) => db.exec('CREATE TABLE a (x INTEGER)') && undefined }
const second: Migration = { version: 2, up: (db) => db.exec('INSERT INTO a VALUES (7)') && undefined }

test('migrations run once each, in the order of their numbers', () => {
  const path = join(directory, 'steps.db')
  openDatabase(path, [first]).close()
  for (let i = 0; i < 2; i++) {
    const db = openDatabase(path, [second, first])
    assert.deepEqual(db.prepare('SELECT x FROM a').all(), [{ x: 7 }])
    db.close()
  }
})

test('a migration that throws leaves the schema as it was', () => {
  const path = join(directory, 'broken.db')
  openDatabase(path, [first]).close()
  const broken: Migration = {
    version: 2,
    up(db) {
      db.exec('INSERT INTO a VALUES (1)')
      throw new Error('no')
    },
  }
  assert.throws(() => openDatabase(path, [first, broken]), /no/)
  const db = openDatabase(path, [first])
  assert.deepEqual(db.prepare('SELECT * FROM a').all(), [])
  db.close()
})

test('a file of a later version is refused', () => {
  const path = join(directory, 'later.db')
  openDatabase(path, [first, second]).close()
  assert.throws(() => openDatabase(path, [first]), /schema version 2, this program knows 1/)
})

test('a transaction is undone as a whole', () => {
  const db = openDatabase(':memory:', [first])
  assert.throws(() =>
    transaction(db, () => {
      db.exec('INSERT INTO a VALUES (1)')
      throw new Error('undo')
    }),
  )
  assert.deepEqual(db.prepare('SELECT * FROM a').all(), [])
  db.close()
})

test('numbers of the real migrations are unique', () => {
  assert.equal(new Set(migrations.map((migration) => migration.version)).size, migrations.length)
  openDatabase(':memory:', migrations).close()
})

test('an intent stays until it is ended', () => {
  const db = openDatabase(':memory:', migrations)
  const intents = new Intents(db)
  const a = intents.begin('container create', 'c1', { name: 'x' })
  intents.begin('image import', 'i1')
  intents.end(a)
  assert.deepEqual(intents.pending().map(({ operation, subject, detail }) => ({ operation, subject, detail })), [{ operation: 'image import', subject: 'i1', detail: {} }])
  db.close()
})

test('a container’s one network of before becomes the first of several', () => {
  const path = join(directory, 'networks.db')
  const before = openDatabase(path, migrations.filter(({ version }) => version < 4))
  const insert = before.prepare(`INSERT INTO containers (id, name, created_at, created_ns, image_id, path, args, config, host_config, mounts, endpoints, layers, status, started_at, finished_at, sandbox)
    VALUES (?, ?, '', 0, '', '', '', '', '', '', '', '', '', '', '', ?)`)
  const endpoint = { id: 'e', networkId: 'n', prefix: 16, gateway: '10.0.0.1', lease: { hostInterface: 'veth1', containerInterface: 'eth0', address: '10.0.0.2', mac: '02:42:0a:00:00:02', antiSpoofing: true } }
  insert.run('a', 'connected', JSON.stringify({ id: 's', key: '/k', endpoint }))
  insert.run('b', 'stopped', JSON.stringify({ id: '', key: '' }))
  before.close()
  const db = openDatabase(path, migrations)
  const sandboxes = db.prepare<[], { sandbox: string }>('SELECT sandbox FROM containers ORDER BY id').all().map(({ sandbox }) => JSON.parse(sandbox) as unknown)
  assert.deepEqual(sandboxes, [{ id: 's', key: '/k', endpoints: [{ prefix6: 0, gateway6: '', ...endpoint }] }, { id: '', key: '', endpoints: [] }])
  db.close()
})
