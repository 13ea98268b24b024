import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Client } from '@engine/api/client'
import { pidfdsTellExits } from '@engine/linux/pidfd'
import { countedTo, counting, execIn, importBusybox, inspectContainer, logOf, startContainer, until } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { removeEverything } from '../harness/kill-points.ts'

let daemon: TestDaemon
let client: Client
let signs = ''

before(async () => {
  daemon = await startDaemon()
  client = connect(daemon.host)
  await importBusybox(client)
  signs = join(daemon.directory, 'signs')
  mkdirSync(signs)
})
after(() => daemon?.[Symbol.asyncDispose]())

/** Kills the shim and waits for the next one. */
async function loseShim(meanwhile: () => void = () => undefined): Promise<void> {
  const before = daemon.shimPid()
  process.kill(before, 'SIGKILL')
  meanwhile()
  await until('there is another shim', () => daemon.shimPid() !== before)
}

/** A command that is carried out at a sign of the test's. */
function later(command: string): [string[], object] {
  rmSync(join(signs, 'go'), { force: true })
  return [['sh', '-c', `while [ ! -e /signs/go ]; do usleep 10000; done; ${command}`], { Binds: [`${signs}:/signs:ro`] }]
}

const giveSign = (): void => writeFileSync(join(signs, 'go'), '')

describe('containers whose shim was killed', () => {
  it('run on, print without gap or repeat, and go their whole way with the next one', async () => {
    const plain = await startContainer(client, counting)
    const terminal = await startContainer(client, counting, {}, { Tty: true })
    const ids = [plain, terminal]
    const told = await Promise.all(ids.map((id) => inspectContainer(client, id)))
    for (let round = 0; round < 3; round++) {
      await sleep(Math.random() * 200)
      await loseShim()
      const lengths = await Promise.all(ids.map((id) => logOf(client, id, id === terminal)))
      for (const [index, id] of ids.entries()) {
        assert.deepEqual(await inspectContainer(client, id), told[index])
        await until('output goes on', async () => (await logOf(client, id, id === terminal)).length > (lengths[index]?.length ?? 0) + 100)
      }
      countedTo(await logOf(client, plain))
    }
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    assert.deepEqual(await execIn(client, plain, ['sh', '-c', 'echo inside; exit 3']), { code: 3, output: 'inside\n' })
    await client.request('POST', `/containers/${terminal}/resize`, { query: { h: 33, w: 99 } })
    assert.deepEqual(await execIn(client, terminal, ['sh', '-c', 'stty size < /proc/1/fd/0']), { code: 0, output: '33 99\n' })
    for (const id of ids) {
      await client.request('POST', `/containers/${id}/kill`)
      assert.deepEqual((await client.request('POST', `/containers/${id}/wait`)).body, { StatusCode: 137 })
    }
    countedTo(await logOf(client, plain))
  })

  it('keep their standard input and their terminal’s', async () => {
    const cat = await startContainer(client, ['cat'], {}, { OpenStdin: true, StdinOnce: true })
    const shell = await startContainer(client, ['sh'], {}, { OpenStdin: true, Tty: true })
    const attached = await client.hijack('POST', `/containers/${cat}/attach`, { query: { stream: true, stdin: true } })
    attached.socket.write('before\n')
    await until('it came through', async () => (await logOf(client, cat)) === 'before\n')
    await loseShim()
    attached.socket.end('after\n')
    assert.deepEqual((await client.request('POST', `/containers/${cat}/wait`)).body, { StatusCode: 0 })
    assert.equal(await logOf(client, cat), 'before\nafter\n')
    const typing = await client.hijack('POST', `/containers/${shell}/attach`, { query: { stream: true, stdin: true } })
    typing.socket.write('echo $((40 + 2)); exit 6\n')
    assert.deepEqual((await client.request('POST', `/containers/${shell}/wait`)).body, { StatusCode: 6 })
    assert.match(await logOf(client, shell, true), /\r\n42\r\n/)
    typing.socket.destroy()
  })

  it('that ended while there was none have their status and their last words', async () => {
    const quick = await startContainer(client, ...later('seq 5000; echo last words; exit 7'))
    const killed = await startContainer(client, ['sleep', '100'])
    const { State } = await inspectContainer(client, killed)
    const again = await startContainer(client, later('exit 5')[0], { ...later('')[1], RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 } })
    const gone = await startContainer(client, later('true')[0], { ...later('')[1], AutoRemove: true })
    await loseShim(() => {
      giveSign()
      process.kill(State.Pid, 'SIGKILL')
    })
    assert.deepEqual((await client.request('POST', `/containers/${quick}/wait`)).body, { StatusCode: 7 })
    const lines = (await logOf(client, quick)).split('\n')
    assert.deepEqual([countedTo(lines.slice(0, 5000).join('\n') + '\n'), lines.slice(5000)], [5000, ['last words', '']])
    // Older kernels tell only who listens, and engined may not have known of the shim's death yet.
    const { StatusCode } = (await client.request('POST', `/containers/${killed}/wait`)).body as { StatusCode: number }
    assert.ok(StatusCode === 137 || (StatusCode === 255 && !pidfdsTellExits), `status ${StatusCode}`)
    await until('it was tried once more', async () => {
      const { State: now, RestartCount } = await inspectContainer(client, again)
      return now.Status === 'exited' && now.ExitCode === 5 && RestartCount === 1
    })
    await until('the one of --rm is gone', async () => (await client.request('GET', `/containers/${gone}/json`).catch(() => undefined)) === undefined)
  })

  it('and others beside them are served while shim after shim is killed', async () => {
    const counter = await startContainer(client, counting)
    const over = new AbortController()
    const results = { done: 0, failed: 0 }
    const user = async (): Promise<void> => {
      while (!over.signal.aborted) {
        try {
          const id = await startContainer(client, ['echo', 'done'])
          await client.request('POST', `/containers/${id}/wait`)
          assert.equal(await logOf(client, id), 'done\n')
          results.done++
        } catch (error) {
          // A start that the shim took with it fails, and says why; nothing else does.
          assert.match(String(error), /shim/)
          results.failed++
        }
      }
    }
    const users = [user(), user()]
    for (let round = 0; round < 3; round++) {
      await sleep(300 + Math.random() * 200)
      await loseShim()
    }
    over.abort()
    await Promise.all(users)
    assert.ok(results.done > 0)
    await client.request('DELETE', `/containers/${counter}`, { query: { force: true } })
    await removeEverything(daemon, client)
    await importBusybox(client)
  })
})

describe('containers whose engined and shim were killed at once', () => {
  it('run on, print without gap or repeat and keep their terminals; those that ended meanwhile have their status and their last words', async () => {
    const counter = await startContainer(client, counting)
    const ended = await startContainer(client, ...later('seq 5000; echo last words; exit 7'))
    const killed = await startContainer(client, ['sleep', '100'])
    const { Pid } = (await inspectContainer(client, killed)).State
    const shell = await startContainer(client, ['sh'], {}, { OpenStdin: true, Tty: true })
    const hungUp = await startContainer(client, ['sleep', '100'], {}, { Tty: true })
    const reader = await startContainer(client, ['cat'], {}, { OpenStdin: true, StdinOnce: true })
    const always = await startContainer(client, later('exit 5')[0], { ...later('')[1], RestartPolicy: { Name: 'always' } })
    const told = await inspectContainer(client, counter)
    const shim = daemon.shimPid()
    const stopped = daemon.stop('SIGKILL')
    process.kill(shim, 'SIGKILL')
    await stopped
    process.kill(Pid, 'SIGKILL')
    giveSign()
    await sleep(400)
    await daemon.start()
    assert.notEqual(daemon.shimPid(), shim)
    assert.deepEqual(await inspectContainer(client, counter), told)
    const before = countedTo(await logOf(client, counter))
    await until('output goes on', async () => countedTo(await logOf(client, counter)) > before + 20)
    for (const [id, code] of [[ended, 7], [killed, 137]] as const) {
      const { State } = await inspectContainer(client, id)
      // Older kernels tell only who listens, and nobody was there to.
      const lost = [255, 'the exit status is lost: nobody was there to see the process end']
      assert.deepEqual([State.Status, State.ExitCode, State.Error], ['exited', ...(pidfdsTellExits ? [code, ''] : lost)])
    }
    const lines = (await logOf(client, ended)).split('\n')
    assert.deepEqual([countedTo(lines.slice(0, 5000).join('\n') + '\n'), lines.slice(5000)], [5000, ['last words', '']])
    const typing = await client.hijack('POST', `/containers/${shell}/attach`, { query: { stream: true, stdin: true } })
    typing.socket.write('echo $((40 + 2)); exit 6\n')
    assert.deepEqual((await client.request('POST', `/containers/${shell}/wait`)).body, { StatusCode: 6 })
    assert.match(await logOf(client, shell, true), /\r\n42\r\n/)
    typing.socket.destroy()
    const attached = await client.hijack('POST', `/containers/${reader}/attach`, { query: { stream: true, stdin: true } })
    attached.socket.end('after\n')
    assert.deepEqual((await client.request('POST', `/containers/${reader}/wait`)).body, { StatusCode: 0 })
    assert.equal(await logOf(client, reader), 'after\n')
    assert.equal((await inspectContainer(client, hungUp)).State.Status, 'running')
    await client.request('POST', `/containers/${hungUp}/stop`, { query: { t: 0 } })
    await until('it was started again by its policy', async () => (await inspectContainer(client, always)).RestartCount > 0)
    await client.request('DELETE', `/containers/${always}`, { query: { force: true } })
    await client.request('POST', `/containers/${counter}/stop`, { query: { t: 0 } })
    assert.equal((await inspectContainer(client, counter)).State.ExitCode, 137)
    await removeEverything(daemon, client)
    assert.doesNotMatch(daemon.log(), / error /)
  })
})
