import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProcessExits } from '@engine/linux/process-exits'
import type { ProcessEnd } from '@engine/linux/wait'
import { Poller } from '../../packages/runtime/src/shim/poller.ts'
import { Witness } from '../../packages/runtime/src/shim/witness.ts'
import { until } from '../harness/containers.ts'
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

  it('are all that is told, beside a thousand forks, from the moment of listening on', async () => {
    const before = orphan('exit 4')
    await until('it has gone', () => !existsSync(`/proc/${before}`))
    using exits = new ProcessExits()
    const child = spawn('sh', ['-c', 'i=0; while [ $i -lt 1000 ]; do (exit 3); i=$((i+1)); done'])
    await once(child, 'exit')
    const ends: (readonly [number, ProcessEnd])[] = []
    await until('all are told', () => {
      exits.read((pid, end) => ends.push([pid, end]))
      return ends.some(([pid]) => pid === child.pid)
    })
    assert.equal(ends.filter(([, end]) => end.code === 3).length, 1000)
    assert.ok(ends.every(([pid]) => pid !== before))
  })
})

describe('a witness', () => {
  const world = (): Witness & Disposable => {
    const poller = new Poller((error) => assert.ifError(error))
    const witness = new Witness(poller, (message) => assert.fail(message), true)
    return Object.assign(witness, { [Symbol.dispose]: () => (witness.close(), poller.close()) })
  }

  it('tells how another’s child ended, and listens only while somebody asks', async () => {
    using witness = world()
    const pids = [orphan('sleep 0.3; exit 7'), orphan('sleep 0.3; kill -KILL $$')] as const
    const sockets = openSockets()
    const told: number[] = []
    const ends = pids.map((pid) => witness.watch(pid, () => told.push(pid)))
    assert.equal(openSockets(), sockets + 1)
    await until('both are told', () => pids.every((pid) => told.includes(pid)))
    assert.deepEqual(pids.map((pid) => witness.find(pid)), [{ code: 7 }, { signal: 9 }])
    assert.equal(witness.find(process.pid), undefined)
    for (const end of ends) end()
    assert.equal(openSockets(), sockets)
  })

  it('does not take the end of a thread for its process’s', async () => {
    using witness = world()
    const child = spawn(process.execPath, ['-e', 'const w = new (require("worker_threads").Worker)("", { eval: true }); w.on("exit", () => { console.log("gone"); setTimeout(() => process.exit(5), 500) })'])
    const end = witness.watch(child.pid ?? 0, () => undefined)
    await once(child.stdout, 'data')
    assert.equal(witness.find(child.pid ?? 0), undefined)
    await once(child, 'exit')
    await until('it is told', () => witness.find(child.pid ?? 0) !== undefined)
    assert.deepEqual(witness.find(child.pid ?? 0), { code: 5 })
    end()
  })
})

function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      return false
    }
  }).length
}
