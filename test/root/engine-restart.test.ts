import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEngine, type OutputFraming } from '@engine/engine'
import { createSandbox } from '@engine/network'
import { createCgroup } from '@engine/runtime'
import { openDatabase } from '../../packages/engine/src/state/database.ts'
import { Intents } from '../../packages/engine/src/state/intents.ts'
import { migrations } from '../../packages/engine/src/state/migrations/index.ts'
import { noFilters, openTestEngine, removal, until } from '../harness/engine.ts'

const signal = new AbortController().signal
const unframed: OutputFraming = { headerBytes: 0, writeHeader: () => undefined }
const everything = { stdout: true, stderr: true, follow: false, timestamps: false, details: false } as const

async function log(engine: Awaited<ReturnType<typeof openEngine>>, id: string): Promise<string> {
  let text = ''
  for await (const batch of (await engine.containers.logs(id, everything, unframed, signal)).batches) text += batch.toString()
  return text
}

test('containers run on while the engine is away, and no line is lost or doubled', async (t) => {
  const { start, reopen, close, engine: first, troubles } = await openTestEngine(t)
  const id = await start(['sh', '-c', 'i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; sleep 0.01; done; sleep 100'], { NetworkMode: 'bridge' })
  const before = await first.containers.inspect(id, { size: false })
  await sleep(200)
  await close()
  await sleep(500)
  const engine = await reopen()
  const after = await engine.containers.inspect(id, { size: false })
  assert.deepEqual([after.State.Status, after.State.Pid, after.NetworkSettings], ['running', before.State.Pid, before.NetworkSettings])
  await until('all is in the log', async () => (await log(engine, id)).split('\n').length > 100)
  assert.equal(await log(engine, id), Array.from({ length: 100 }, (_, i) => `line ${i + 1}\n`).join(''))
  await engine.containers.stop(id, { timeout: 0 })
  assert.equal((await engine.containers.inspect(id, { size: false })).State.ExitCode, 137)
  assert.deepEqual(troubles, [])
})

test('an end that came meanwhile is recorded with its status and time', async (t) => {
  const { start, reopen, close, engine: first } = await openTestEngine(t)
  const gate = mkdtempSync(join(tmpdir(), 'engine-gate-'))
  t.after(() => rmSync(gate, { recursive: true }))
  const behindGate = (then: string) => ['sh', '-c', `while [ ! -e /gate/open ]; do sleep 0.02; done; ${then}`]
  const Binds = [`${gate}:/gate`]
  const id = await start(behindGate('echo last words; exit 6'), { Binds })
  const once = await start(behindGate('exit 0'), { Binds, AutoRemove: true })
  const again = await start(behindGate('[ -e /gate/second ] && exec sleep 100; touch /gate/second'), { Binds, RestartPolicy: { Name: 'always' } })
  const { Id: exec } = await first.execs.create(id, { Cmd: ['sh', '-c', 'exit 2'], AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false, Privileged: false })
  const pids = await Promise.all([id, once, again].map(async (one) => (await first.containers.inspect(one, { size: false })).State.Pid))
  await close()
  const closed = new Date().toISOString()
  writeFileSync(join(gate, 'open'), '')
  await until('they have ended', () => !pids.some((pid) => existsSync(`/proc/${pid}`)))
  const opened = new Date().toISOString()
  const engine = await reopen()
  const { State } = await engine.containers.inspect(id, { size: false })
  assert.deepEqual([State.Status, State.ExitCode, State.Pid], ['exited', 6, 0])
  assert.ok(State.FinishedAt > closed && State.FinishedAt < opened)
  assert.equal(await log(engine, id), 'last words\n')
  await until('the one of --rm is gone', async () => !(await engine.containers.list({ all: true, size: false, filters: noFilters })).some(({ Id }) => Id === once))
  await until('the one with a policy runs', async () => (await engine.containers.inspect(again, { size: false })).State.Running)
  assert.equal((await engine.execs.inspect(exec)).Running, false)
  await engine.containers.start(id)
})

test('a paused container is paused afterwards', async (t) => {
  const { start, reopen, engine: first } = await openTestEngine(t)
  const id = await start(['sleep', '100'])
  await first.containers.pause(id)
  const engine = await reopen()
  assert.equal((await engine.containers.inspect(id, { size: false })).State.Status, 'paused')
  await engine.containers.unpause(id)
})

test('restart policies at the start of the engine', async (t) => {
  const { start, reopen, engine: first } = await openTestEngine(t)
  const ids = await Promise.all(['always', 'unless-stopped', 'no'].map((Name) => start(['sleep', '100'], { RestartPolicy: { Name } })))
  for (const id of ids) await first.containers.stop(id, { timeout: 0 })
  const engine = await reopen()
  await until('always runs', async () => (await engine.containers.inspect(ids[0] ?? '', { size: false })).State.Running)
  for (const id of ids.slice(1)) assert.equal((await engine.containers.inspect(id, { size: false })).State.Status, 'exited')
})

test('shutting down with containers stops them, and their policy starts them again', async (t) => {
  const { start, options, engine: first, close } = await openTestEngine(t)
  const kept = await start(['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.05; done'], { RestartPolicy: { Name: 'unless-stopped' } })
  const plain = await start(['sh', '-c', 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'])
  // A first process that has no handler yet does not get the signal at all.
  const log = join(options.dataRoot, 'containers', plain, `${plain}-json.log`)
  await until('it has its handler', () => existsSync(log) && readFileSync(log, 'utf8').includes('ready'))
  await first.close({ stopContainers: true })
  await close().catch(() => undefined)
  const engine = await openEngine(options)
  try {
    await until('the one with a policy runs', async () => (await engine.containers.inspect(kept, { size: false })).State.Running)
    const { State } = await engine.containers.inspect(plain, { size: false })
    assert.deepEqual([State.Status, State.ExitCode], ['exited', 9])
  } finally {
    await engine.close({ stopContainers: true })
  }
})

test('what a crash leaves is removed: mounts, namespaces, cgroups, directories, half-made containers', async (t) => {
  const { options, close, reopen, start, create } = await openTestEngine(t)
  const running = await start(['sleep', '100'], { NetworkMode: 'bridge' })
  const stopped = await create(['true'])
  await close()
  const stranger = 'f'.repeat(64)
  await createSandbox(join(options.execRoot, 'netns', 'ffffffffffff'))
  createCgroup(`${options.cgroupParent}/${stranger}`, {})
  for (const path of [join(options.execRoot, 'containers', stranger), join(options.dataRoot, 'containers', stranger), join(options.dataRoot, 'overlay2', stranger, 'diff')]) mkdirSync(path, { recursive: true })
  writeFileSync(join(options.dataRoot, 'containers', stranger, 'hosts'), '')
  const db = openDatabase(join(options.dataRoot, 'engine.db'), migrations)
  const intents = new Intents(db)
  intents.begin('container create', stranger)
  intents.begin('container remove', stopped, { volumes: true })
  intents.begin('container start', 'e'.repeat(64))
  db.close()
  const engine = await reopen()
  assert.deepEqual((await engine.containers.list({ all: true, size: false, filters: noFilters })).map(({ Id }) => Id), [running])
  assert.equal(readdirSync(join(options.execRoot, 'netns')).length, 1)
  assert.deepEqual(readdirSync(join(options.execRoot, 'containers')), [running])
  await until('the directories are gone', () => readdirSync(join(options.dataRoot, 'containers')).join() === running)
  assert.equal(readdirSync(join(options.dataRoot, 'overlay2')).includes(stranger), false)
  assert.equal(readFileSync('/proc/self/cgroup', 'utf8').includes(stranger), false)
  assert.deepEqual(readdirSync('/sys/fs/cgroup').flatMap((hierarchy) => groups(join('/sys/fs/cgroup', hierarchy, options.cgroupParent))).filter((name) => name === stranger), [])
  await engine.containers.remove(running, removal)
})

function groups(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

test('after another boot nothing runs, whatever has the old numbers', async (t) => {
  const { options, close, reopen, start, engine: first } = await openTestEngine(t)
  const id = await start(['sleep', '100'])
  await first.containers.kill(id, 'KILL')
  await close()
  const db = openDatabase(join(options.dataRoot, 'engine.db'), migrations)
  // As it would stand there: running, under the pid that a process of this boot has now.
  db.prepare("UPDATE containers SET status = 'running', pid = ?, start_time = ?, boot_id = 'another' WHERE id = ?").run(process.pid, '1', id)
  db.close()
  const engine = await reopen()
  const { State } = await engine.containers.inspect(id, { size: false })
  assert.deepEqual([State.Status, State.ExitCode, State.Pid], ['exited', 255, 0])
  assert.match(State.Error, /^the exit status is lost/)
})

test('the shim dies: another takes over, containers run on, and their ends are known', async (t) => {
  const { engine, start, options } = await openTestEngine(t)
  const id = await start(['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'])
  const shim = Number(readFileSync(join(options.execRoot, 'shim.pid'), 'utf8'))
  process.kill(shim, 'SIGKILL')
  await until('there is another', () => Number(readFileSync(join(options.execRoot, 'shim.pid'), 'utf8')) !== shim)
  const lines = (await log(engine, id)).split('\n').length
  await until('output goes on', async () => (await log(engine, id)).split('\n').length > lines + 10)
  const text = await log(engine, id)
  assert.equal(text, Array.from({ length: text.split('\n').length - 1 }, (_, i) => `${i + 1}\n`).join(''))
  await engine.containers.stop(id, { timeout: 0 })
  assert.equal((await engine.containers.inspect(id, { size: false })).State.Status, 'exited')
  await engine.containers.start(id)
})

test('a data root is one engine’s', async (t) => {
  const { options } = await openTestEngine(t)
  await assert.rejects(openEngine({ ...options, execRoot: `${options.execRoot}-2` }), { code: 'unavailable', message: `the data root ${options.dataRoot} is in use by another engined` })
})
