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
