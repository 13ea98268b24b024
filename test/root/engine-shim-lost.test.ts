import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { processStat } from '@engine/linux/process-stat'
import { patience } from '../harness/patience.ts'
import { openTestEngine, until } from '../harness/engine.ts'

const plain = { AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Env: [], WorkingDir: '', User: '', Privileged: false, DetachKeys: '' }

test('what is started while there is no shim waits for the next one, and is taken for nobody else’s', async (t) => {
  const { engine, start, run, options, troubles } = await openTestEngine(t)
  const shim = (): number => Number(readFileSync(join(options.execRoot, 'shim.pid'), 'utf8'))
  const id = await start(['sleep', '1000'])
  for (const delay of [0, 0, 30, 60]) {
    const before = shim()
    process.kill(before, 'SIGKILL')
    await until('it is dead', () => (processStat(before)?.state ?? 'Z') === 'Z')
    // So that the connection's end is known here: a request that a dying shim was sent fails, and rightly.
    await sleep(delay + 150 * patience)
    const { Id } = await engine.execs.create(id, { ...plain, Cmd: ['echo', 'hello'] })
    const [attachment, ran] = await Promise.all([engine.execs.start(Id, { detach: false, tty: false }), run(['echo', 'ran'])])
    assert.notEqual(attachment, undefined)
    let said = ''
    for await (const { data } of attachment?.output ?? []) said += data.toString()
    assert.equal(said, 'hello\n')
    assert.equal((await engine.execs.inspect(Id)).ExitCode, 0)
    assert.deepEqual([ran.code, ran.stdout], [0, 'ran\n'])
    await until('there is another', () => shim() !== before)
  }
  assert.equal((await engine.containers.inspect(id, { size: false })).State.Status, 'running')
  assert.deepEqual(troubles.filter((line) => !line.includes('the shim died')), [])
})
