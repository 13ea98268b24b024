import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProcessExits } from '@engine/linux/process-exits'
import type { ProcessEnd } from '@engine/linux/wait'
import { patience } from '../harness/patience.ts'

/** What is told of a process, waiting for it. */
async function told(exits: ProcessExits, pid: number): Promise<ProcessEnd> {
  let found: ProcessEnd | undefined
  for (const end = Date.now() + 5000 * patience; Date.now() < end; await sleep(2)) {
    exits.read((exited, how) => (found = exited === pid ? how : found))
    if (found !== undefined) return found
  }
  throw new Error(`nothing was told of process ${pid}`)
}

/** The pid of a process that is nobody's child here when it ends: its parent has ended before. */
function orphan(script: string): number {
  return Number(spawnSync('sh', ['-c', `sh -c '${script}' >/dev/null 2>&1 & echo $!`], { encoding: 'utf8' }).stdout)
}

describe('ends of processes that are no children of ours', () => {
  it('are told: exit codes and signals', async () => {
    using exits = new ProcessExits()
    assert.deepEqual(await told(exits, orphan('sleep 0.2; exit 7')), { code: 7 })
    assert.deepEqual(await told(exits, orphan('exit 0')), { code: 0 })
    assert.deepEqual(await told(exits, orphan('kill -TERM $$')), { signal: 15 })
    assert.deepEqual(await told(exits, orphan('kill -SEGV $$')), { signal: 11 })
  })

  it('are told of a process with threads as one', async () => {
    using exits = new ProcessExits()
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => process.exit(5), 50); new (require("worker_threads").Worker)("setInterval(() => 0, 5)", { eval: true })'])
    await once(child, 'exit')
    assert.deepEqual(await told(exits, child.pid ?? 0), { code: 5 })
  })

  it('are all that is told, beside a thousand forks', async () => {
    using exits = new ProcessExits()
    const ends = new Map<number, ProcessEnd>()
    const child = spawn('sh', ['-c', 'i=0; while [ $i -lt 1000 ]; do (exit 3) ; i=$((i+1)); done; echo $$'])
    await once(child, 'exit')
    await told(exits, spawnSync('true').pid)
    exits.read((pid, end) => ends.set(pid, end))
    const again = orphan('exit 9')
    assert.deepEqual(await told(exits, again), { code: 9 })
  })

  it('wake who waits for the descriptor, and come from the moment of listening on', async () => {
    const before = orphan('exit 4')
    await sleep(100 * patience)
    using exits = new ProcessExits()
    const seen: number[] = []
    exits.read((pid) => seen.push(pid))
    assert.ok(!seen.includes(before))
  })
})
