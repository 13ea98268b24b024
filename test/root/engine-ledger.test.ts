import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openTestEngine, removal, until } from '../harness/engine.ts'

test('a container’s ledger tells its whole life, in order, with causes', async (t) => {
  const { engine, create, options } = await openTestEngine(t)
  const cause = { request: 'POST /containers/web/start', id: 'req-7' }
  const id = await create(['sh', '-c', 'exit 0'], { NetworkMode: 'bridge' }, { Env: ['PASSWORD=hunter2'] }, 'web')
  const { result } = await engine.containers.wait(id, 'next-exit', new AbortController().signal)
  await engine.causedBy(cause, () => engine.containers.start(id))
  await result
  await until('the end is in it', async () => (await engine.containers.explain('web')).some(({ Cause }) => Cause === 'exit'))
  const entries = await engine.containers.explain('web')
  const calls = entries.map(({ Call }) => Call)
  for (const call of ['unshare', 'netlink RTM_NEWLINK', 'mkdir', 'pivot_root', 'setresuid', 'capset', 'seccomp', 'execve', 'umount2', 'rmdir']) assert.ok(calls.includes(call), call)
  assert.deepEqual(entries.map(({ At }) => BigInt(At)), entries.map(({ At }) => BigInt(At)).sort((a, b) => Number(a - b)))
  assert.deepEqual(new Set(entries.map(({ Process }) => Process)), new Set(['engined', 'shim', 'init']))
  const execve = entries.find(({ Call }) => Call === 'execve')
  assert.deepEqual([execve?.Cause, execve?.CauseID, execve?.Process, execve?.Args['path']], [cause.request, 'req-7', 'init', '/bin/sh'])
  assert.ok(entries.every(({ ContainerID }) => ContainerID === id))
  assert.doesNotMatch(JSON.stringify(entries), /hunter2/)
  assert.ok(entries.some(({ Args }) => JSON.stringify(Args).includes(options.bridge) || JSON.stringify(Args).includes('veth')))
})

test('a failed start and a removed container are explained all the same', async (t) => {
  const { engine, create, reopen } = await openTestEngine(t)
  const id = await create(['nope'], {}, {}, 'broken')
  await assert.rejects(engine.containers.start(id))
  const failed = (await engine.containers.explain('broken')).filter(({ Call, Errno }) => Call === 'execve' && Errno !== undefined)
  assert.ok(failed.length > 0)
  assert.ok(failed.every(({ Errno, Result }) => Errno === 'ENOENT' && Result === -1))
  await engine.containers.remove(id, removal)
  const later = await reopen()
  for (const ref of ['broken', id, id.slice(0, 10)]) assert.ok((await later.containers.explain(ref)).length > 0, ref)
  await assert.rejects(later.containers.explain('never'), { code: 'not-found', message: 'No such container: never' })
})

test('an exec’s actions name the exec', async (t) => {
  const { engine, start } = await openTestEngine(t)
  const id = await start(['sleep', '100'])
  const { Id } = await engine.execs.create(id, { Cmd: ['true'], AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Privileged: false })
  for await (const _ of (await engine.execs.start(Id, { detach: false, tty: false }))?.output ?? []);
  const own = (await engine.containers.explain(id)).filter(({ ExecID }) => ExecID === Id)
  assert.ok(own.some(({ Call }) => Call === 'setns'))
  assert.ok(own.some(({ Call, Args }) => Call === 'execve' && Args['path'] === '/bin/true'))
})

test('turned off, nothing is recorded, and containers start all the same', async (t) => {
  const { engine, create } = await openTestEngine(t, { ledger: false })
  const id = await create(['true'])
  const before = Date.now()
  const { result } = await engine.containers.wait(id, 'next-exit', new AbortController().signal)
  await engine.containers.start(id)
  assert.equal((await result).StatusCode, 0)
  const { State } = await engine.containers.inspect(id, { size: false })
  assert.ok(Date.parse(State.StartedAt) >= before - 10 && Date.parse(State.StartedAt) <= Date.now(), State.StartedAt)
  assert.deepEqual(await engine.containers.explain(id), [])
  const failing = await create(['nothing-of-this-name'])
  await assert.rejects(engine.containers.start(failing), /executable file not found/)
  assert.deepEqual(await engine.containers.explain(failing), [])
  await engine.containers.remove(id, removal)
  await engine.containers.remove(failing, removal)
})
