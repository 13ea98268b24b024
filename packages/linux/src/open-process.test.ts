import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { openProcess } from './open-process.ts'
import { processStat } from './process-stat.ts'

test('a process is opened by its pid and start time, and by nothing less', async () => {
  const child = spawn('sleep', ['1000'])
  await once(child, 'spawn')
  const pid = child.pid ?? 0
  const startTime = processStat(pid)?.startTime ?? ''
  const pidfd = openProcess({ pid, startTime })
  assert.ok(pidfd !== undefined)
  assert.equal(readlinkSync(`/proc/self/fd/${pidfd}`), 'anon_inode:[pidfd]')
  closeSync(pidfd)
  assert.equal(openProcess({ pid, startTime: String(Number(startTime) + 1) }), undefined)
  assert.equal(openProcess({ pid: 0, startTime: '0' }), undefined)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(openProcess({ pid, startTime }), undefined)
})
