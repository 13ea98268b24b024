import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { processStat } from '@engine/linux/process-stat'
import { openTestEngine, removal, until } from '../harness/engine.ts'

const installed = (name: string): boolean => ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'].some((place) => existsSync(join(place, name)))
/** crun wants all controllers in one version of cgroup. */
const mixed = / cgroup2 /.test(readFileSync('/proc/mounts', 'utf8')) && / cgroup /.test(readFileSync('/proc/mounts', 'utf8'))
const signal = new AbortController().signal
const world = openTestEngine({ after })
const MiB = 1 << 20

function missing(runtime: string): string | false {
  if (runtime !== 'engine' && !installed(runtime)) return `${runtime} is not installed`
  return runtime === 'crun' && mixed ? 'crun refuses a host with cgroup v1 and v2' : false
}

/** What a container can be asked for, whoever makes it. */
for (const Runtime of ['engine', 'runc', 'crun']) {
  describe(`containers made by ${Runtime}`, { skip: missing(Runtime) }, () => {
    test('output, exit status, input, user, directory, filter', async () => {
      const { run, engine, create } = await world
      const said = await run(['sh', '-c', 'echo "$A $(id -u) $PWD"; echo err >&2; grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status; exit 3'], { Runtime, SecurityOpt: ['no-new-privileges'] }, { Env: ['A=b'], User: '1000', WorkingDir: '/tmp' })
      assert.deepEqual(said, { code: 3, stdout: 'b 1000 /tmp\nNoNewPrivs:\t1\nSeccomp:\t2\n', stderr: 'err\n' })
      const id = await create(['sh', '-c', 'read a; echo "got $a"'], { Runtime }, { OpenStdin: true, StdinOnce: true })
      const { output, stdin } = await engine.containers.attach(id, { stdin: true, stdout: true, stderr: true, stream: true, logs: false })
      await engine.containers.start(id)
      stdin?.end('hello\n')
      let text = ''
      for await (const { data } of output) text += data.toString()
      assert.equal(text, 'got hello\n')
      assert.equal((await engine.containers.inspect(id, { size: false })).HostConfig.Runtime, Runtime)
      await engine.containers.remove(id, removal)
    })

    test('a terminal, and its size', async () => {
      const { create, engine } = await world
      const id = await create(['sh', '-c', 'tty; stty size; read a; stty size'], { Runtime, ConsoleSize: [24, 80] }, { Tty: true, OpenStdin: true })
      const { output, stdin } = await engine.containers.attach(id, { stdin: true, stdout: true, stderr: true, stream: true, logs: false })
      await engine.containers.start(id)
      await engine.containers.resize(id, 33, 44)
      stdin?.write('\n')
      let text = ''
      for await (const { data } of output) text += data.toString()
      assert.match(text, /\/dev\/(pts\/0|console)\r\n/)
      assert.match(text, /33 44\r\n$/)
      await engine.containers.remove(id, removal)
    })

    test('limits, exec, pause, kill, the end of memory, and nothing left behind', async () => {
      const { start, engine, options, traces, events } = await world
      const id = await start(['sleep', '1000'], { Runtime, Memory: 32 * MiB, MemorySwap: 32 * MiB, PidsLimit: 50, NetworkMode: 'bridge' })
      const { State } = await engine.containers.inspect(id, { size: false })
      assert.match(readFileSync(`/proc/${State.Pid}/cgroup`, 'utf8'), new RegExp(`${options.cgroupParent}/${id}`))
      const { Id } = await engine.execs.create(id, { Cmd: ['sh', '-c', 'cat /proc/1/comm; exit 4'], AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Privileged: false })
      let text = ''
      for await (const { data } of (await engine.execs.start(Id, { detach: false, tty: false }))?.output ?? []) text += data.toString()
      assert.deepEqual([text, (await engine.execs.inspect(Id)).ExitCode], ['sleep\n', 4])
      await engine.containers.update(id, { PidsLimit: 20 })
      await engine.containers.pause(id)
      await engine.containers.unpause(id)
      await engine.containers.kill(id, 'KILL')
      await until('it has ended', async () => (await engine.containers.inspect(id, { size: false })).State.ExitCode === 137)
      await engine.containers.start(id)
      await engine.containers.remove(id, removal)
      const greedy = await start(['sh', '-c', 'dd if=/dev/zero of=/dev/null bs=200M count=1'], { Runtime, Memory: 16 * MiB, MemorySwap: 16 * MiB })
      const { result } = await engine.containers.wait(greedy, 'not-running', signal)
      assert.equal((await result).StatusCode, 137)
      assert.equal((await engine.containers.inspect(greedy, { size: false })).State.OOMKilled, true)
      assert.ok((await events(greedy)).includes('container oom'))
      await engine.containers.remove(greedy, removal)
      await until('nothing is left', () => [...traces(id), ...traces(greedy)].length === 0 && states(options.execRoot).length === 0)
    })

    test('a program that is not there', async () => {
      const { create, engine, options } = await world
      const id = await create(['nope'], { Runtime })
      await assert.rejects(engine.containers.start(id), { message: /^failed to create task for container: failed to create shim task: OCI runtime create failed: .*("nope": executable file|executable file `nope`) not found in \$PATH/ })
      assert.equal((await engine.containers.inspect(id, { size: false })).State.ExitCode, 127)
      assert.deepEqual(states(options.execRoot), [])
      await engine.containers.remove(id, removal)
    })

    test('is taken up by another engine', async () => {
      const { start, engine, reopen } = await world
      const id = await start(['sh', '-c', 'trap "exit 9" TERM; while :; do sleep 0.1; done'], { Runtime })
      const { State } = await engine.containers.inspect(id, { size: false })
      const next = await reopen()
      assert.equal((await next.containers.inspect(id, { size: false })).State.Pid, State.Pid)
      await next.containers.stop(id, { timeout: 20 })
      assert.equal((await next.containers.inspect(id, { size: false })).State.ExitCode, 9)
      assert.equal(processStat(State.Pid), undefined)
      await next.containers.remove(id, removal)
    })
  })
}

test('what a runtime refuses is said in its words, and leaves nothing', { skip: installed('crun') && mixed ? false : 'crun takes this host' }, async () => {
  const { create, engine, options, traces } = await world
  const id = await create(['true'], { Runtime: 'crun' })
  const before = traces(id)
  await assert.rejects(engine.containers.start(id), { message: /OCI runtime create failed: cgroups in hybrid mode not supported/ })
  assert.deepEqual([traces(id), states(options.execRoot)], [before, []])
  await engine.containers.remove(id, removal)
})

test('a runtime that is none is refused, and the configuration can name others', async (t) => {
  const { create, engine } = await world
  await assert.rejects(create(['true'], { Runtime: 'nope' }), { code: 'invalid-argument', message: 'unknown or invalid runtime name: nope' })
  assert.ok(Object.keys((await engine.system.info()).Runtimes).includes('engine'))
  if (!installed('runc')) return
  const other = await openTestEngine(t, { runtimes: { mine: { path: 'runc', args: ['--debug'] } }, defaultRuntime: 'mine' })
  const id = await other.create(['sh', '-c', 'exit 5'])
  assert.equal((await other.engine.containers.inspect(id, { size: false })).HostConfig.Runtime, 'mine')
  const { result } = await other.engine.containers.wait(id, 'next-exit', signal)
  await other.engine.containers.start(id)
  assert.equal((await result).StatusCode, 5)
})

/** What runtimes remember of containers. */
function states(execRoot: string): string[] {
  const runtimes = join(execRoot, 'runtimes')
  return existsSync(runtimes) ? readdirSync(runtimes).flatMap((name) => readdirSync(join(runtimes, name))) : []
}
