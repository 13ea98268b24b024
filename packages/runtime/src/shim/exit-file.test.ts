import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { decodeWaitStatus } from '@engine/linux/wait'
import { parseProcessStat } from '@engine/linux/process-stat'
import { exitStatus, readExitFile, rfc3339, writeExitFile } from './exit-file.ts'

let directory = ''

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'engine-exit-'))
})

after(() => {
  rmSync(directory, { recursive: true, force: true })
})

describe('an exit', () => {
  it('is what the wait status says', () => {
    const at = rfc3339(1_795_459_605_000_000_042n)
    assert.equal(at, '2026-11-23T18:46:45.000000042Z')
    assert.deepEqual(exitStatus(decodeWaitStatus(3 << 8), false, at), { code: 3, oomKilled: false, finishedAt: at })
    assert.deepEqual(exitStatus(decodeWaitStatus(9), true, at), { code: 137, signal: 9, oomKilled: true, finishedAt: at })
    // A core dump's bit is no part of the signal.
    assert.deepEqual(exitStatus(decodeWaitStatus(11 | 0x80), false, at), { code: 139, signal: 11, oomKilled: false, finishedAt: at })
    assert.deepEqual(exitStatus(undefined, false, at), { code: 255, oomKilled: false, finishedAt: at, lost: true })
  })

  it('is written whole, and read back', async () => {
    const record = { pid: 5, startTime: '77', status: { code: 137, signal: 9, oomKilled: true, finishedAt: rfc3339(0n) } }
    await writeExitFile(directory, record)
    assert.deepEqual(readdirSync(directory), ['exit.json'])
    assert.deepEqual(readExitFile(directory), record)
    for (const bad of ['', '{', '[]', '{"pid":1}', JSON.stringify({ ...record, status: { code: 'x' } })]) {
      writeFileSync(join(directory, 'exit.json'), bad)
      assert.equal(readExitFile(directory), undefined)
    }
  })
})

describe('a process in /proc', () => {
  it('is told by what follows the last parenthesis', () => {
    const fields = Array.from({ length: 52 }, (_, i) => String(i + 1))
    const line = (name: string, state: string): string => `7 (${name}) ${[state, ...fields.slice(3)].join(' ')}\n`
    assert.deepEqual(parseProcessStat(line('a) Z (b', 'S')), { state: 'S', startTime: '22' })
    assert.deepEqual(parseProcessStat(line('x', 'Z').replace(/52\n$/, `${7 << 8}\n`)), { state: 'Z', startTime: '22', end: { code: 7 } })
    assert.equal(parseProcessStat(''), undefined)
  })
})
