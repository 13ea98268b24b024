import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { FileWorkers } from './pool.ts'

/** A folder with trees to delete: `large` of many files, `small` of one; and one for other work. */
function trees(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'engine-pool-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  for (const [name, count] of [['large', 3000], ['small', 1]] as const) {
    mkdirSync(join(directory, name))
    for (let i = 0; i < count; i++) writeFileSync(join(directory, name, String(i)), '')
  }
  mkdirSync(join(directory, 'other'))
  return directory
}

function workers(t: TestContext, threads: number): FileWorkers {
  const pool = new FileWorkers({ program: new URL('main.ts', import.meta.url), threads, keep: 10_000 })
  t.after(() => pool.close())
  return pool
}

test('deletions give way to what was asked for later', async (t) => {
  const directory = trees(t)
  const pool = workers(t, 1)
  const done: string[] = []
  const remove = (name: string): Promise<unknown> => pool.run({ kind: 'remove', directory, name }).then(() => done.push(name))
  await Promise.all([remove('large'), remove('small'), pool.run({ kind: 'usage', directory: join(directory, 'other') }).then(() => done.push('usage'))])
  assert.deepEqual(done, ['large', 'usage', 'small'])
})

test('deletions leave a thread to others', async (t) => {
  const directory = trees(t)
  const pool = workers(t, 2)
  const done: string[] = []
  const remove = (name: string): Promise<unknown> => pool.run({ kind: 'remove', directory, name }).then(() => done.push(name))
  const deletions = [remove('large'), remove('small')]
  await pool.run({ kind: 'usage', directory: join(directory, 'other') })
  await Promise.all(deletions)
  // On two threads the small one would have been first.
  assert.deepEqual(done, ['large', 'small'])
})
