import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { noFilters, openTestEngine, removal, until, type TestEngine } from '../harness/engine.ts'

const world = openTestEngine({ after })
const ms = 1e6

type Health = NonNullable<Awaited<ReturnType<TestEngine['engine']['containers']['inspect']>>['State']['Health']>

async function healthOf(id: string): Promise<Health> {
  const { State } = await (await world).engine.containers.inspect(id, { size: false })
  assert.ok(State.Health !== undefined)
  return State.Health
}

const becomes = (id: string, status: string): Promise<void> => until(`it is ${status}`, async () => (await healthOf(id)).Status === status)

async function listed(health: string): Promise<string[]> {
  const { engine } = await world
  return (await engine.containers.list({ all: true, size: false, filters: new Map([['health', [health]]]) })).map(({ Id }) => Id)
}

describe('a health check', () => {
  test('follows what the container says, in State, ps, filters and events', async () => {
    const { engine, start, events } = await world
    const id = await start(['sleep', '1000'], {}, { Healthcheck: { Test: ['CMD-SHELL', 'echo "$A"; test -f /ok'], Interval: 150 * ms, Retries: 2 }, Env: ['A=hello'] })
    assert.deepEqual(await healthOf(id), { Status: 'starting', FailingStreak: 0, Log: [] })
    await becomes(id, 'unhealthy')
    const found = await healthOf(id)
    assert.ok(found.FailingStreak >= 2)
    assert.deepEqual(found.Log?.map(({ ExitCode, Output }) => [ExitCode, Output])[0], [1, 'hello\n'])
    assert.ok((await listed('unhealthy')).includes(id))
    await touch(id, '/ok')
    await becomes(id, 'healthy')
    const [summary] = await engine.containers.list({ all: true, size: false, filters: new Map([['id', [id]]]) })
    assert.match(summary?.Status ?? '', /^Up .* \(healthy\)$/)
    await until('five results are there, and no more', async () => (await healthOf(id)).Log?.length === 5)
    await engine.containers.stop(id, { timeout: 0 })
    assert.equal((await healthOf(id)).Status, 'unhealthy')
    await engine.containers.start(id)
    const again = await healthOf(id)
    assert.deepEqual([again.Status, again.FailingStreak], ['starting', 0])
    await becomes(id, 'healthy')
    const told = (await events(id)).filter((event) => event.startsWith('container health_status'))
    assert.deepEqual(told, ['container health_status: unhealthy', 'container health_status: healthy', 'container health_status: healthy'])
    const { State } = await engine.containers.inspect(id, { size: false })
    assert.equal(State.Running, true)
    await engine.containers.remove(id, removal)
    assert.ok(!(await engine.containers.list({ all: true, size: false, filters: noFilters })).some(({ Id }) => Id === id))
  })

  test('that takes too long, says too much, or cannot be run', async () => {
    const { engine, start } = await world
    const checked = (Test: readonly string[]): Promise<string> => start(['sleep', '1000'], {}, { Healthcheck: { Test, Interval: 100 * ms, Timeout: 400 * ms, Retries: 1 } })
    const [slow, loud, missing] = await Promise.all([checked(['CMD-SHELL', 'echo begun; sleep 600; true']), checked(['CMD-SHELL', 'yes | head -c 100000; exit 3']), checked(['CMD', 'nope'])])
    await Promise.all([slow, loud, missing].map((id) => becomes(id, 'unhealthy')))
    const first = async (id: string): Promise<readonly [number | undefined, string | undefined]> => {
      const { Log } = await healthOf(id)
      return [Log?.[0]?.ExitCode, Log?.[0]?.Output]
    }
    assert.deepEqual(await first(slow), [-1, 'Health check exceeded timeout (400ms): begun\n'])
    assert.deepEqual(await first(loud), [3, `${'y\n'.repeat(2048)}...`])
    assert.deepEqual(await first(missing), [-1, 'OCI runtime exec failed: exec failed: unable to start container process: exec: "nope": executable file not found in $PATH'])
    for (const id of [slow, loud, missing]) await engine.containers.remove(id, removal)
  })

  test('waits for the start period, pauses with its container, and goes on with another engine', async () => {
    const { engine, start, reopen } = await world
    const id = await start(['sleep', '1000'], {}, { Healthcheck: { Test: ['CMD', 'test', '-f', '/ok'], Interval: 100 * ms, Retries: 1, StartPeriod: 600_000 * ms, StartInterval: 100 * ms } })
    await until('some failed', async () => ((await healthOf(id)).Log?.length ?? 0) >= 3)
    assert.deepEqual([(await healthOf(id)).Status, (await healthOf(id)).FailingStreak], ['starting', 0])
    await touch(id, '/ok')
    await becomes(id, 'healthy')
    await engine.containers.pause(id)
    const paused = await healthOf(id)
    assert.equal(paused.Status, 'unhealthy')
    await engine.containers.unpause(id)
    await becomes(id, 'healthy')
    const before = await healthOf(id)
    const next = await reopen()
    const { State } = await next.containers.inspect(id, { size: false })
    assert.equal(State.Health?.Status, 'healthy')
    await until('it is checked again', async () => ((await next.containers.inspect(id, { size: false })).State.Health?.Log?.at(-1)?.Start ?? '') > (before.Log?.at(-1)?.Start ?? ''))
    await next.containers.remove(id, removal)
  })

  test('of a container without one is none, and nonsense is refused', async () => {
    const { create, engine } = await world
    const id = await create(['true'], {}, { Healthcheck: { Test: ['NONE'] } })
    assert.equal((await engine.containers.inspect(id, { size: false })).State.Health, undefined)
    assert.ok((await listed('none')).includes(id))
    await assert.rejects(create(['true'], {}, { Healthcheck: { Test: ['CMD', 'x'], Interval: 5 } }), { code: 'invalid-argument', message: 'Interval in Healthcheck cannot be less than 1ms' })
    await engine.containers.remove(id, removal)
  })
})

async function touch(id: string, path: string): Promise<void> {
  const { engine } = await world
  const { Id } = await engine.execs.create(id, { Cmd: ['touch', path], AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false, Privileged: false })
  await engine.execs.start(Id, { detach: true, tty: false })
}
