import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { noFilters, openTestEngine, removal, until } from '../harness/engine.ts'

/** One engine for the tests that do not look at all of it. */
const world = openTestEngine({ after })

const signal = new AbortController().signal

describe('the life of a container', () => {
  test('created, started, ended, removed: and nothing of it is left on the host', async (t) => {
    const { engine, create, traces, events, troubles, options } = await openTestEngine(t)
    const id = await create(['sh', '-c', 'exit 7'], {}, { Labels: { a: 'b' } }, 'web')
    const created = await engine.containers.inspect('web', { size: false })
    assert.deepEqual([created.Id, created.Name, created.State.Status, created.State.Pid, created.Path, created.Args], [id, '/web', 'created', 0, 'sh', ['-c', 'exit 7']])
    const { result } = await engine.containers.wait(id, 'next-exit', signal)
    await engine.containers.start(id)
    assert.deepEqual(await result, { StatusCode: 7 })
    const { State } = await engine.containers.inspect(id.slice(0, 12), { size: false })
    assert.deepEqual([State.Status, State.ExitCode, State.Pid, State.Running, State.Error], ['exited', 7, 0, false, ''])
    assert.ok(State.StartedAt < State.FinishedAt)
    await engine.containers.remove(id, { force: false, volumes: false, link: false })
    await until('its directories are gone', () => traces(id).length === 0)
    assert.deepEqual(readdirSync(join(options.execRoot, 'netns')), [])
    await assert.rejects(engine.containers.inspect(id, { size: false }), { code: 'not-found', message: `No such container: ${id}` })
    assert.deepEqual(await events(id), ['container create', 'network connect', 'container start', 'network disconnect', 'container die', 'container destroy'])
    assert.deepEqual(troubles, [])
  })

  test('a start that fails leaves the container as it was, says why, and undoes all', async () => {
    const { engine, create, traces, options, start } = await world
    const cases = [
      [['nope'], {}, 127, /exec: "nope": executable file not found in \$PATH$/],
      [['/etc/passwd'], {}, 126, /exec: "\/etc\/passwd": permission denied$/],
      [['true'], { Binds: ['/etc/hostname:/etc'] }, 127, /not a directory: Are you trying to mount a directory onto a file/],
      [['true'], { NetworkMode: 'nope' }, 128, /^failed to set up container networking: network nope not found$/],
      [['true'], { Devices: [{ PathOnHost: '/nope' }] }, 128, /^error gathering device information while adding custom device "\/nope": no such file or directory$/],
      [['true'], { Sysctls: { 'kernel.core_pattern': 'x' } }, 128, /sysctl "kernel.core_pattern" is not in a separate kernel namespace$/],
      [['true'], { Binds: ['/tmp:/proc'] }, 128, /cannot be mounted because it is not of type proc$/],
    ] as const
    for (const [command, host, code, message] of cases) {
      const id = await create(command, host)
      const before = traces(id)
      await assert.rejects(engine.containers.start(id), { message })
      const { State } = await engine.containers.inspect(id, { size: false })
      assert.deepEqual([State.Status, State.ExitCode, State.Pid], ['created', code, 0])
      assert.match(State.Error, message)
      assert.deepEqual(traces(id), before)
      await engine.containers.remove(id, removal)
    }
    assert.deepEqual(readdirSync(join(options.execRoot, 'netns')), [])
    // It can be started once its fault is gone; one of --rm that fails is not kept.
    const once = await create(['nope'], { AutoRemove: true })
    const { result } = await engine.containers.wait(once, 'removed', signal)
    await assert.rejects(engine.containers.start(once))
    assert.equal((await result).StatusCode, 127)
    await engine.containers.remove(await start(['true']), removal)
  })

  test('what cannot be created is refused and leaves nothing', async (t) => {
    const { engine, options, create } = await openTestEngine(t)
    await create(['true'], {}, {}, 'taken')
    const before = readdirSync(join(options.dataRoot, 'overlay2')).length
    for (const [host, config, code, message] of [
      [{ Links: ['nobody:x'] }, {}, 'invalid-argument', /^could not get container for nobody: No such container: nobody/],
      [{}, { Image: 'nope' }, 'not-found', /^No such image: nope:latest$/],
      [{ Binds: ['/etc:/x', '/etc:/x'] }, {}, 'invalid-argument', /^Duplicate mount point: \/x$/],
    ] as const) {
      await assert.rejects(create(['true'], host, config), { code, message })
    }
    await assert.rejects(create(['true'], {}, {}, 'taken'), { code: 'conflict', message: /^Conflict\. The container name "\/taken" is already in use by container "[0-9a-f]{64}"\./ })
    assert.equal((await engine.containers.list({ all: true, size: false, filters: noFilters })).length, 1)
    assert.equal(readdirSync(join(options.dataRoot, 'overlay2')).length, before)
    assert.equal(readdirSync(join(options.dataRoot, 'containers')).length, 1)
  })

  test('a hundred cycles leave nothing, and no descriptor', async (t) => {
    const { engine, run, options } = await openTestEngine(t)
    // Its worker threads come with the first work.
    await Promise.all([1, 2, 3, 4].map(() => run(['true'])))
    const descriptors = readdirSync('/proc/self/fd').length
    for (let i = 0; i < 25; i++) await Promise.all([1, 2, 3, 4].map((n) => run(['true'], n === 1 ? { NetworkMode: 'bridge' } : {})))
    await until('their directories are gone', () => readdirSync(join(options.dataRoot, 'containers')).length === 0)
    assert.deepEqual(readdirSync(join(options.execRoot, 'netns')), [])
    assert.equal((await engine.containers.list({ all: true, size: false, filters: noFilters })).length, 0)
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(`${options.dataRoot}/overlay2/`)).length, 0)
    assert.ok(readdirSync('/proc/self/fd').length <= descriptors + 2)
  })
})

describe('verbs on a running container', () => {
  test('stop: the stop signal, then SIGKILL when the time is over', async () => {
    const { engine, start, events } = await world
    const willing = await start(['sh', '-c', 'trap "exit 3" TERM; while :; do sleep 0.02; done'])
    await engine.containers.stop(willing, { timeout: 5 })
    assert.equal((await engine.containers.inspect(willing, { size: false })).State.ExitCode, 3)
    await assert.rejects(engine.containers.stop(willing, {}), { code: 'not-modified' })
    const stubborn = await start(['sleep', '100'])
    const began = performance.now()
    await engine.containers.stop(stubborn, { timeout: 1 })
    assert.ok(performance.now() - began >= 950)
    assert.equal((await engine.containers.inspect(stubborn, { size: false })).State.ExitCode, 137)
    assert.deepEqual((await events(stubborn)).filter((event) => event.startsWith('container')).sort(), ['container create', 'container die', 'container kill', 'container kill', 'container start', 'container stop'])
    const own = await start(['sh', '-c', 'trap "exit 4" USR1; while :; do sleep 0.02; done'], {}, { StopSignal: 'SIGUSR1' })
    await engine.containers.stop(own, { timeout: 5 })
    assert.equal((await engine.containers.inspect(own, { size: false })).State.ExitCode, 4)
  })

  test('pause stands still, unpause goes on, kill reaches a paused one', async () => {
    const { engine, start } = await world
    const id = await start(['sh', '-c', 'while :; do echo x; sleep 0.01; done'])
    await engine.containers.pause(id)
    const { Pid } = (await engine.containers.inspect(id, { size: false })).State
    const ticks = (): string => readFileSync(`/proc/${Pid}/stat`, 'utf8')
    const before = ticks()
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(ticks(), before)
    await assert.rejects(engine.containers.pause(id), { code: 'conflict', message: `Container ${id} is already paused` })
    await assert.rejects(engine.containers.start(id), { code: 'conflict', message: 'cannot start a paused container, try unpause instead' })
    await assert.rejects(engine.execs.create(id, { Cmd: ['ls'], AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false, Privileged: false }), { code: 'conflict' })
    await engine.containers.unpause(id)
    await until('it runs', () => ticks() !== before)
    await engine.containers.pause(id)
    await engine.containers.kill(id, 'KILL')
    assert.deepEqual(((await engine.containers.inspect(id, { size: false })).State.Status), 'exited')
  })

  test('remove refuses a running one, kills it by force, and is one at a time', async () => {
    const { engine, start } = await world
    const id = await start(['sleep', '100'])
    await assert.rejects(engine.containers.remove(id, { force: false, volumes: false, link: false }), {
      code: 'conflict',
      message: `cannot remove container "${id}": container is running: stop the container before removing or force remove`,
    })
    const results = await Promise.allSettled([1, 2, 3].map(() => engine.containers.remove(id, removal)))
    assert.deepEqual(results.map(({ status }) => status), ['fulfilled', 'rejected', 'rejected'])
    assert.match(String((results[1] as PromiseRejectedResult).reason.message), /^removal of container [0-9a-f]+ is already in progress$/)
  })

  test('a removal that meets a start kills what was started, or refuses', async () => {
    const { engine, create, traces } = await world
    for (const force of [true, false]) {
      for (let round = 0; round < 3; round++) {
        const id = await create(['sleep', '100'])
        const [started, removed] = await Promise.allSettled([engine.containers.start(id), engine.containers.remove(id, { force, volumes: false, link: false })])
        if (force) {
          assert.equal(removed.status, 'fulfilled')
          await until('nothing is left', () => traces(id).length === 0)
        } else if (removed.status === 'rejected') {
          assert.equal(started.status, 'fulfilled')
          assert.match(String((removed.reason as Error).message), /container is running: stop the container before removing or force remove$/)
          await engine.containers.remove(id, removal)
        }
      }
    }
  })

  test('verbs at once on one container do not interleave', async (t) => {
    const { engine, create, troubles } = await openTestEngine(t)
    const id = await create(['sleep', '100'])
    for (let round = 0; round < 5; round++) {
      await Promise.allSettled([
        engine.containers.start(id), engine.containers.start(id), engine.containers.pause(id), engine.containers.kill(id, 'KILL'),
        engine.containers.unpause(id), engine.containers.restart(id, { timeout: 0 }), engine.containers.stop(id, { timeout: 0 }),
      ])
    }
    await engine.containers.remove(id, removal)
    assert.deepEqual(troubles, [])
  })

  test('wait: not running, next exit, removed, and a client that goes away', async () => {
    const { engine, create } = await world
    const id = await create(['sh', '-c', 'exit 5'], { AutoRemove: true })
    assert.deepEqual(await (await engine.containers.wait(id, 'not-running', signal)).result, { StatusCode: 0 })
    const gone = new AbortController()
    const abandoned = await engine.containers.wait(id, 'next-exit', gone.signal)
    const removed = await engine.containers.wait(id, 'removed', signal)
    const ended = await engine.containers.wait(id, 'next-exit', signal)
    gone.abort()
    await assert.rejects(abandoned.result)
    await engine.containers.start(id)
    assert.deepEqual([await ended.result, await removed.result], [{ StatusCode: 5 }, { StatusCode: 5 }])
    await assert.rejects(engine.containers.inspect(id, { size: false }), { code: 'not-found' })
  })

  test('rename, list and prune', async (t) => {
    const { engine, create, start } = await openTestEngine(t)
    const old = await create(['true'], {}, { Labels: { keep: '1' } }, 'old')
    const running = await start(['sleep', '100'])
    await engine.containers.rename('old', 'new')
    await assert.rejects(engine.containers.inspect('old', { size: false }))
    const list = async (filters: Record<string, string[]>, all = true) => (await engine.containers.list({ all, size: false, filters: new Map(Object.entries(filters)) })).map(({ Id }) => Id)
    assert.deepEqual(await list({}), [running, old])
    assert.deepEqual(await list({}, false), [running])
    assert.deepEqual(await list({ name: ['new'] }), [old])
    assert.deepEqual(await list({ label: ['keep=1'] }), [old])
    assert.deepEqual(await list({ status: ['created'] }, false), [old])
    assert.deepEqual(await list({ ancestor: ['busybox'] }), [running, old])
    assert.deepEqual(await list({ before: [running] }), [old])
    assert.deepEqual(await list({ network: ['none'] }), [running, old])
    await assert.rejects(list({ foo: ['x'] }), { code: 'invalid-argument', message: "invalid filter 'foo'" })
    const [summary] = await engine.containers.list({ all: false, size: true, filters: noFilters })
    assert.match(summary?.Status ?? '', /^Up Less than a second|^Up \d+ seconds?$/)
    assert.equal(summary?.State, 'running')
    assert.deepEqual(await engine.containers.prune(new Map([['label!', ['keep']]])), { ContainersDeleted: null, SpaceReclaimed: 0 })
    assert.deepEqual((await engine.containers.prune(noFilters)).ContainersDeleted, [old])
    assert.deepEqual(await list({}), [running])
  })

  test('top shows the container’s processes and no other', async () => {
    const { engine, start } = await world
    const id = await start(['sh', '-c', 'sleep 77 & sleep 78; true'])
    await until('both run', async () => (await engine.containers.top(id, '')).Processes.length === 3)
    const { Titles, Processes } = await engine.containers.top(id, '-o pid,args')
    assert.deepEqual(Titles, ['PID', 'COMMAND'])
    assert.deepEqual(Processes.map(([, command]) => command).sort(), ['sh -c sleep 77 & sleep 78; true', 'sleep 77', 'sleep 78'])
    await assert.rejects(engine.containers.top(id, '-o comm'), { message: "Couldn't find PID field in ps output" })
  })
})

describe('limits and policies', () => {
  test('a container that is killed for want of memory says so', async () => {
    const { engine, create, events } = await world
    const id = await create(['sh', '-c', 'x=a; while :; do x=$x$x; done'], { Memory: 8 << 20 })
    const { result } = await engine.containers.wait(id, 'next-exit', signal)
    await engine.containers.start(id)
    assert.equal((await result).StatusCode, 137)
    assert.equal((await engine.containers.inspect(id, { size: false })).State.OOMKilled, true)
    const seen = (await events(id)).filter((event) => event.startsWith('container'))
    assert.deepEqual(seen, ['container create', 'container start', 'container oom', 'container die'])
  })

  test('on-failure starts again, so often and no more; a stop ends it', async () => {
    const { engine, create, start } = await world
    const id = await create(['false'], { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } })
    await engine.containers.start(id)
    await until('it has given up', async () => {
      const { State, RestartCount } = await engine.containers.inspect(id, { size: false })
      return State.Status === 'exited' && RestartCount === 2
    })
    const always = await start(['sh', '-c', 'exit 0'], { RestartPolicy: { Name: 'always' } })
    await until('it waits to be started again', async () => (await engine.containers.inspect(always, { size: false })).State.Restarting)
    await engine.containers.stop(always, { timeout: 0 })
    const stopped = await engine.containers.inspect(always, { size: false })
    assert.equal(stopped.State.Status, 'exited')
    await new Promise((resolve) => setTimeout(resolve, 500))
    assert.equal((await engine.containers.inspect(always, { size: false })).RestartCount, stopped.RestartCount)
  })
})
