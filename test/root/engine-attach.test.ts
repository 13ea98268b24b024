import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Attachment, LogOptions, OutputFraming } from '@engine/engine'
import { openTestEngine, removal, until } from '../harness/engine.ts'

/** One engine for the tests that do not look at all of it. */
const world = openTestEngine({ after })
const signal = new AbortController().signal
const unframed: OutputFraming = { headerBytes: 0, writeHeader: () => undefined }
const all = { stdin: true, stdout: true, stderr: true, stream: true, logs: false } as const

async function said({ output }: Attachment): Promise<string> {
  let text = ''
  for await (const { data } of output) text += data.toString()
  return text
}

async function log(id: string, change: Partial<LogOptions> = {}): Promise<string> {
  const { engine } = await world
  const { batches } = await engine.containers.logs(id, { stdout: true, stderr: true, follow: false, timestamps: false, details: false, ...change }, unframed, signal)
  let text = ''
  for await (const batch of batches) text += batch.toString()
  return text
}

test('attached before the start, input given before the start: nothing is missed', async () => {
  const { engine, create } = await world
  const id = await create(['sh', '-c', 'echo first; cat; echo last'], {}, { OpenStdin: true, StdinOnce: true })
  const attachment = await engine.containers.attach(id, all)
  const output = said(attachment)
  attachment.stdin?.end('typed\n')
  await engine.containers.start(id)
  assert.equal(await output, 'first\ntyped\nlast\n')
  assert.equal(await log(id), 'first\ntyped\nlast\n')
  await engine.containers.remove(id, removal)
})

test('input that is not for once stays open when a client goes', async () => {
  const { engine, start } = await world
  const id = await start(['sh', '-c', 'read a; echo $a; read b; echo $b'], {}, { OpenStdin: true })
  const first = await engine.containers.attach(id, all)
  const firstSaid = said(first)
  first.stdin?.end('one\n')
  await firstSaid
  const second = await engine.containers.attach(id, all)
  const secondSaid = said(second)
  second.stdin?.write('two\n')
  await secondSaid
  assert.equal(await log(id), 'one\ntwo\n')
  await engine.containers.remove(id, removal)
})

test('attached to none of the streams, or only to an input that is closed, is over at once', async () => {
  const { engine, start } = await world
  const id = await start(['sleep', '100'])
  for (const stdin of [false, true]) assert.equal(await said(await engine.containers.attach(id, { ...all, stdin, stdout: false, stderr: false })), '')
  await engine.containers.remove(id, removal)
})

test('two clients see the same, one that comes later sees the past with logs', async () => {
  const { engine, start } = await world
  const id = await start(['sh', '-c', 'echo past; read x; echo now >&2'], {}, { OpenStdin: true })
  await until('the past is in the log', async () => (await log(id)) === 'past\n')
  const [a, b] = [await engine.containers.attach(id, { ...all, logs: true }), await engine.containers.attach(id, { ...all, stdout: false })]
  const [saidA, saidB] = [said(a), said(b)]
  a.stdin?.write('x\n')
  assert.deepEqual([await saidA, await saidB], ['past\nnow\n', 'now\n'])
  await engine.containers.remove(id, removal)
})

test('a terminal: one stream, a size, and keys that detach', async () => {
  const { engine, start, events } = await world
  const id = await start(['sh', '-c', 'while read x; do echo got $x $(stty size); done'], { ConsoleSize: [20, 60] }, { Tty: true, OpenStdin: true })
  const attachment = await engine.containers.attach(id, { ...all, detachKeys: 'ctrl-x,q' })
  assert.equal(attachment.tty, true)
  const output = said(attachment)
  attachment.stdin?.write('hello\n')
  await until('it has answered', async () => (await log(id)).includes('got hello 20 60'))
  await engine.containers.resize(id, 30, 90)
  attachment.stdin?.write('again\n')
  await until('it has answered again', async () => (await log(id)).includes('got again 30 90'))
  attachment.stdin?.write(Buffer.from([24, 0x71]))
  assert.equal((await output).replaceAll('\r', ''), 'hello\ngot hello 20 60\nagain\ngot again 30 90\n')
  assert.equal((await engine.containers.inspect(id, { size: false })).State.Running, true)
  assert.ok((await events(id)).includes('container detach'))
  await engine.containers.remove(id, removal)
})

test('who waits for the output of a container that never runs is let go', async () => {
  const { engine, create } = await world
  const id = await create(['true'])
  const output = said(await engine.containers.attach(id, { ...all, stdin: false }))
  await engine.containers.remove(id, removal)
  assert.equal(await output, '')
  const broken = await create(['nope'])
  const nothing = said(await engine.containers.attach(broken, { ...all, stdin: false }))
  await assert.rejects(engine.containers.start(broken))
  assert.equal(await nothing, '')
  await engine.containers.remove(broken, removal)
})

test('a slow client gets all of the output, also of a container of --rm', async () => {
  const { engine, create } = await world
  const id = await create(['sh', '-c', 'yes 0123456789012345678901234567890123456789 | head -n 300000'], { AutoRemove: true })
  const attachment = await engine.containers.attach(id, { ...all, stdin: false })
  const { result } = await engine.containers.wait(id, 'removed', signal)
  await engine.containers.start(id)
  let bytes = 0
  for await (const { data } of attachment.output) {
    bytes += data.length
    // Slower than it is written: what is not taken waits in the spool, and at 6 MiB the container waits as well.
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  assert.equal(bytes, 300_000 * 41)
  assert.deepEqual(await result, { StatusCode: 0 })
})

test('logs: both streams, following to the end, none with the driver none', async () => {
  const { engine, start } = await world
  const id = await start(['sh', '-c', 'echo a; echo b >&2; sleep 0.2; echo c'])
  assert.equal(await log(id, { follow: true }), 'a\nb\nc\n')
  assert.equal(await log(id, { stderr: false }), 'a\nc\n')
  assert.equal(await log(id, { tail: 1 }), 'c\n')
  assert.match(await log(id, { tail: 1, timestamps: true }), /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z c\n$/)
  await assert.rejects(engine.containers.logs(id, { stdout: false, stderr: false, follow: false, timestamps: false, details: false }, unframed, signal), { code: 'invalid-argument' })
  const silent = await start(['echo', 'x'], { LogConfig: { Type: 'none' } })
  await assert.rejects(log(silent), { code: 'not-implemented', message: 'configured logging driver does not support reading' })
})
