import assert from 'node:assert/strict'
import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase } from '../../packages/engine/src/state/database.ts'
import { migrations } from '../../packages/engine/src/state/migrations/index.ts'
import { build, post } from '../harness/build.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'
import { patience } from '../harness/patience.ts'

/** What the daemon's database says. */
function query<T>(daemon: TestDaemon, sql: string, ...values: unknown[]): T[] {
  const db = openDatabase(join(daemon.dataRoot, 'engine.db'), migrations)
  try {
    const statement = db.prepare(sql)
    if (statement.reader) return statement.all(...values) as T[]
    statement.run(...values)
    return []
  } finally {
    db.close()
  }
}

/** Layers' files of one name under overlay2/. */
function filesCalled(daemon: TestDaemon, name: string): string[] {
  const overlay = join(daemon.dataRoot, 'overlay2')
  return readdirSync(overlay).map((id) => join(overlay, id, 'diff', name)).filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined)
}

test('what a build has made is flushed a moment later; what a power cut damages before that is removed, and nothing else', async () => {
  await using daemon = await startDaemon()
  assert.equal((await post(daemon, '/images/create?fromSrc=-&repo=base', busyboxTar())).status, 200)
  const whole = await build(daemon, 'FROM base\nRUN echo whole > /whole', {}, 't=whole')
  const lower = await build(daemon, 'FROM base\nRUN echo lower > /lower', {}, 't=lower')
  const damaged = await build(daemon, 'FROM lower\nRUN echo damaged > /damaged\nENV A=b', {}, 't=damaged')
  const pending = (): number => query(daemon, "SELECT id FROM intents WHERE operation = 'build layer'").length
  for (let i = 0; i < 200 * patience && pending() > 0; i++) await sleep(50)
  assert.equal(pending(), 0)

  await daemon.stop('SIGKILL')
  // As it would be after another boot, had the disk not been told of these.
  const images = query<{ id: string }>(daemon, 'SELECT id FROM images WHERE parent <> \'\'')
  for (const { id } of images) query(daemon, "INSERT INTO intents (operation, subject, detail, begun_at) VALUES ('build layer', ?, '{\"boot\":\"another\"}', '2026-01-01T00:00:00Z')", id)
  const [file, ...more] = filesCalled(daemon, 'damaged')
  assert.deepEqual(more, [])
  truncateSync(file as string, 0)
  await daemon.start()

  const exists = async (name: string): Promise<boolean> => (await daemon.api('GET', `/images/${name}/json`)).status === 200
  assert.deepEqual([await exists('whole'), await exists('lower'), await exists('damaged'), await exists(damaged.id)], [true, true, false, false])
  assert.deepEqual(filesCalled(daemon, 'damaged'), [])
  assert.match(daemon.log(), /damaged when the machine went down/)
  const again = await build(daemon, 'FROM lower\nRUN echo damaged > /damaged\nENV A=b', {}, 't=damaged')
  assert.equal(again.error, undefined)
  assert.doesNotMatch(again.text, /Using cache/)
  assert.equal((await build(daemon, 'FROM base\nRUN echo whole > /whole')).id, whole.id)
  assert.equal((await build(daemon, 'FROM base\nRUN echo lower > /lower')).id, lower.id)
  for (let i = 0; i < 200 * patience && pending() > 0; i++) await sleep(50)
  assert.equal(pending(), 0)
})
