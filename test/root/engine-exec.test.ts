import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Attachment, CreateExec, Engine } from '@engine/engine'
import { openTestEngine, removal, until } from '../harness/engine.ts'

/** One engine for the tests that do not look at all of it. */
const world = openTestEngine({ after })

const plain: Omit<CreateExec, 'Cmd'> = { AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Privileged: false }

async function said(attachment: Attachment | undefined): Promise<{ stdout: string; stderr: string }> {
  const all = { stdout: '', stderr: '' }
  for await (const { stream, data } of attachment?.output ?? []) all[stream] += data.toString()
  return all
}

async function exec(engine: Engine, container: string, Cmd: readonly string[], change: Partial<CreateExec> = {}) {
  const { Id } = await engine.execs.create(container, { ...plain, Cmd, ...change })
  const output = await said(await engine.execs.start(Id, { detach: false, tty: change.Tty ?? false }))
  // Read at once when the stream has ended, as clients do.
  return { ...output, inspect: await engine.execs.inspect(Id) }
}

test('a command’s output and status, and its place in the container', async () => {
  const { engine, start, events, options } = await world
  const id = await start(['sleep', '100'], {}, { Env: ['A=1', 'B=1'], WorkingDir: '/tmp' })
  const first = await exec(engine, id, ['sh', '-c', 'pwd; echo $A$B$C; hostname; echo oops >&2; exit 3'], { Env: ['B=2', 'C=3'] })
  assert.deepEqual([first.stdout, first.stderr, first.inspect.ExitCode, first.inspect.Running], [`/tmp\n123\n${id.slice(0, 12)}\n`, 'oops\n', 3, false])
  const other = await exec(engine, id, ['sh', '-c', 'pwd; id -u; grep CapEff /proc/self/status'], { User: 'nobody', WorkingDir: '/etc' })
  assert.deepEqual(other.stdout, '/etc\n65534\nCapEff:\t0000000000000000\n')
  const privileged = await exec(engine, id, ['grep', 'CapEff', '/proc/self/status'], { Privileged: true })
  assert.notEqual(privileged.stdout, 'CapEff:\t00000000a80425fb\n')
  assert.equal((await exec(engine, id, ['grep', 'CapEff', '/proc/self/status'])).stdout, 'CapEff:\t00000000a80425fb\n')
  const seen = (await events(id)).filter((event) => event.includes('exec'))
  assert.deepEqual(seen.slice(0, 3), [
    'container exec_create: sh -c pwd; echo $A$B$C; hostname; echo oops >&2; exit 3', 'container exec_start: sh -c pwd; echo $A$B$C; hostname; echo oops >&2; exit 3', 'container exec_die',
  ])
  await until('their directories are gone', () => readdirSync(join(options.dataRoot, 'containers', id, 'exec')).length === 0)
})

test('a program that cannot be executed is told in the stream, or at once when detached', async () => {
  const { engine, start } = await world
  const id = await start(['sleep', '100'])
  for (const [command, code, reason] of [['nope', 127, 'exec: "nope": executable file not found in $PATH'], ['/etc/passwd', 126, 'exec: "/etc/passwd": permission denied']] as const) {
    const failed = await exec(engine, id, [command])
    assert.equal(failed.stdout, `OCI runtime exec failed: exec failed: unable to start container process: ${reason}\r\n`)
    assert.deepEqual([failed.inspect.ExitCode, failed.inspect.Running, failed.inspect.Pid], [code, false, 0])
  }
  const { Id } = await engine.execs.create(id, { ...plain, Cmd: ['nope'] })
  await assert.rejects(engine.execs.start(Id, { detach: true, tty: false }), { code: 'invalid-argument', message: /executable file not found in \$PATH$/ })
  await assert.rejects(engine.execs.start(Id, { detach: true, tty: false }), { code: 'conflict', message: `exec command ${Id} has already run` })
})

test('standard input reaches the command, and its end ends it', async () => {
  const { engine, start } = await world
  const id = await start(['sleep', '100'])
  const { Id } = await engine.execs.create(id, { ...plain, Cmd: ['md5sum'], AttachStdin: true })
  const attachment = await engine.execs.start(Id, { detach: false, tty: false })
  const output = said(attachment)
  attachment?.stdin?.write(Buffer.alloc(300_000, 'x'))
  attachment?.stdin?.end('y')
  assert.equal((await output).stdout, `${md5(Buffer.concat([Buffer.alloc(300_000, 'x'), Buffer.from('y')]))}  -\n`)
})

test('a terminal: its size, its keys, one stream', async () => {
  const { engine, start } = await world
  const id = await start(['sleep', '100'])
  const { Id } = await engine.execs.create(id, { ...plain, Cmd: ['sh', '-c', 'read x; stty size; echo got $x; tty >&2'], Tty: true, AttachStdin: true, ConsoleSize: [30, 100] })
  // Told while it starts, as the docker command does, and with more than 16 bits.
  const told = engine.execs.resize(Id, 40, 0x10000 + 120)
  const attachment = await engine.execs.start(Id, { detach: false, tty: true })
  await told
  const output = said(attachment)
  attachment?.stdin?.write('hello\n')
  const { stdout, stderr } = await output
  assert.equal(stderr, '')
  assert.match(stdout, /^hello\r\n40 120\r\ngot hello\r\n\/dev\/pts\/\d+\r\n$/)
  await assert.rejects(engine.execs.resize(Id, 1, 1), { code: 'not-found' })
})

test('an exec ends with its container, and goes with it', async () => {
  const { engine, start } = await world
  const id = await start(['sleep', '100'])
  const { Id } = await engine.execs.create(id, { ...plain, Cmd: ['sleep', '100'] })
  await engine.execs.start(Id, { detach: true, tty: false })
  assert.deepEqual((await engine.containers.inspect(id, { size: false })).ExecIDs, [Id])
  await engine.containers.kill(id, 'KILL')
  await until('it has ended', async () => !(await engine.execs.inspect(Id)).Running)
  assert.equal((await engine.execs.inspect(Id)).ExitCode, 137)
  await engine.containers.remove(id, removal)
  await assert.rejects(engine.execs.inspect(Id), { code: 'not-found', message: `No such exec instance: ${Id}` })
})

test('what cannot be', async () => {
  const { engine, create, start } = await world
  const stopped = await create(['true'])
  await assert.rejects(engine.execs.create(stopped, { ...plain, Cmd: ['ls'] }), { code: 'conflict', message: `container ${stopped} is not running` })
  await assert.rejects(engine.execs.create('nope', { ...plain, Cmd: ['ls'] }), { code: 'not-found', message: 'No such container: nope' })
  const running = await start(['sleep', '100'])
  await assert.rejects(engine.execs.create(running, { ...plain, Cmd: [] }), { code: 'invalid-argument', message: 'No exec command specified' })
  await assert.rejects(engine.execs.create(running, { ...plain, Cmd: ['ls'], User: 'nope' }), { message: 'unable to find user nope: no matching entries in passwd file' })
  await assert.rejects(engine.execs.create(running, { ...plain, Cmd: ['ls'], DetachKeys: 'foo' }), { message: 'Invalid escape keys (foo) provided' })
})

function md5(data: Buffer): string {
  return createHash('md5').update(data).digest('hex')
}
