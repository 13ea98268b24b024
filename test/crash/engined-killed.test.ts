import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, frames, type Client } from '@engine/api/client'
import { countedTo, counting, createContainer, execIn, importBusybox, inspectContainer, logOf, startContainer, until } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { removeEverything } from '../harness/kill-points.ts'

let daemon: TestDaemon
let client: Client

before(async () => {
  daemon = await startDaemon()
  client = connect(daemon.host)
  await importBusybox(client)
})
after(() => daemon?.[Symbol.asyncDispose]())

/** Kills engined and starts it again. @param meanwhile milliseconds that it is away at least */
async function kill(meanwhile = 0): Promise<void> {
  await daemon.stop('SIGKILL')
  await sleep(meanwhile)
  await daemon.start()
}

describe('containers whose engined was killed', () => {
  it('run on as the same processes, in the same places, and print without gap or repeat', async () => {
    const plain = await startContainer(client, counting)
    const terminal = await startContainer(client, counting, {}, { Tty: true })
    const both = await startContainer(client, ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i >&$((i % 2 + 1)); usleep 10000; done'])
    const ids = [plain, terminal, both]
    const told = await Promise.all(ids.map((id) => inspectContainer(client, id)))
    const seen = [0, 0, 0]
    // What comes by two pipes has no order between them.
    const ordered = async (id: string): Promise<string> => {
      const text = await logOf(client, id, id === terminal)
      return id === both ? text.split('\n').sort((a, b) => (a === '' ? 1 : b === '' ? -1 : Number(a) - Number(b))).join('\n') : text
    }
    for (const meanwhile of [0, 300, 0, 700]) {
      await sleep(Math.random() * 150)
      await kill(meanwhile)
      assert.deepEqual(await settledDiscrepancies(daemon), [])
      for (const [index, id] of ids.entries()) {
        const before = told[index]
        const { State, NetworkSettings } = await inspectContainer(client, id)
        assert.deepEqual([State, NetworkSettings], [before?.State, before?.NetworkSettings])
        await until('output goes on', async () => (await logOf(client, id, id === terminal)).split('\n').length > (seen[index] ?? 0) + 20)
        seen[index] = countedTo(await ordered(id))
      }
    }
    const other = await startContainer(client, ['sleep', '100'])
    const address = (await inspectContainer(client, other)).NetworkSettings.Networks['bridge']?.IPAddress ?? ''
    assert.ok(told.every(({ NetworkSettings }) => NetworkSettings.Networks['bridge']?.IPAddress !== address))
    assert.equal((await execIn(client, plain, ['ping', '-c', '1', '-W', '2', address])).code, 0)
    for (const id of [...ids, other]) await client.request('POST', `/containers/${id}/stop`, { query: { t: 0 } })
    for (const [index, id] of ids.entries()) {
      const last = countedTo(await ordered(id))
      assert.ok(last >= (seen[index] ?? 0))
    }
  })

  it('are attached to, executed in, waited for and stopped', async () => {
    const cat = await startContainer(client, ['cat'], {}, { OpenStdin: true, StdinOnce: true })
    const idle = await startContainer(client, ['sh', '-c', 'trap "echo bye; exit 4" TERM; while :; do usleep 20000; done'], {}, { StopTimeout: 10 })
    const { body: running } = await client.request<{ Id: string }>('POST', `/containers/${idle}/exec`, { body: { Cmd: ['sh', '-c', 'while [ ! -e /go ]; do usleep 20000; done; exit 3'], AttachStdout: true } })
    await client.request('POST', `/exec/${running.Id}/start`, { body: { Detach: true } })
    await kill()
    assert.equal((await client.request<{ Running: boolean }>('GET', `/exec/${running.Id}/json`)).body.Running, true)
    const { socket, head } = await client.hijack('POST', `/containers/${cat}/attach`, { query: { stream: true, stdin: true, stdout: true } })
    if (head.length > 0) socket.unshift(head)
    const waited = client.request<{ StatusCode: number }>('POST', `/containers/${cat}/wait`)
    socket.end('there and back\n')
    let text = ''
    for await (const { data } of frames(socket)) text += data.toString()
    assert.equal(text, 'there and back\n')
    assert.deepEqual((await waited).body, { StatusCode: 0 })
    assert.deepEqual(await execIn(client, idle, ['sh', '-c', 'echo inside; touch /go; exit 9']), { code: 9, output: 'inside\n' })
    await until('the exec of before has ended', async () => !(await client.request<{ Running: boolean }>('GET', `/exec/${running.Id}/json`)).body.Running)
    assert.equal((await client.request<{ ExitCode: number }>('GET', `/exec/${running.Id}/json`)).body.ExitCode, 3)
    await client.request('POST', `/containers/${idle}/pause`)
    await kill()
    assert.equal((await inspectContainer(client, idle)).State.Status, 'paused')
    await client.request('POST', `/containers/${idle}/unpause`)
    await client.request('POST', `/containers/${idle}/stop`)
    assert.deepEqual([(await inspectContainer(client, idle)).State.ExitCode, await logOf(client, idle)], [4, 'bye\n'])
  })

  it('that ended meanwhile have their status, their time and their last words', async () => {
    const signs = join(daemon.directory, 'signs')
    mkdirSync(signs)
    const sign = { Binds: [`${signs}:/signs:ro`] }
    const later = (command: string): string[] => ['sh', '-c', `while [ ! -e /signs/go ]; do usleep 20000; done; ${command}`]
    const wordy = await startContainer(client, later('seq 20000; echo last words >&2; exit 7'), sign)
    const killed = await startContainer(client, later('exec sh -c "kill -9 \\$\\$"'), { ...sign, PidMode: 'host' })
    const greedy = await startContainer(client, later('exec tail /dev/zero'), { ...sign, Memory: 16 << 20, MemorySwap: 16 << 20 })
    const gone = await startContainer(client, later('true'), { ...sign, AutoRemove: true }, { Volumes: { '/own': {} } })
    await daemon.stop('SIGKILL')
    const from = new Date().toISOString()
    writeFileSync(join(signs, 'go'), '')
    await sleep(1500)
    const to = new Date().toISOString()
    await daemon.start()
    for (const [id, code, oom] of [[wordy, 7, false], [killed, 137, false], [greedy, 137, true]] as const) {
      const { State } = await inspectContainer(client, id)
      assert.deepEqual([State.Status, State.Pid, State.ExitCode, State.OOMKilled, State.Error], ['exited', 0, code, oom, ''])
      assert.ok(State.FinishedAt > from && State.FinishedAt < to, `${from} ${State.FinishedAt} ${to}`)
      assert.deepEqual((await client.request('POST', `/containers/${id}/wait`)).body, { StatusCode: code })
    }
    const lines = (await logOf(client, wordy)).split('\n').filter((line) => line !== 'last words')
    assert.equal(countedTo(lines.join('\n')), 20_000)
    assert.ok((await logOf(client, wordy)).includes('last words\n'))
    await until('the one of --rm is gone', async () => (await client.request('GET', `/containers/${gone}/json`).catch(() => undefined)) === undefined)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('are started again as their policies say', async () => {
    const ending = ['sh', '-c', 'sleep 0.3; exit 5']
    const policy = (Name: string, MaximumRetryCount = 0): object => ({ RestartPolicy: { Name, MaximumRetryCount } })
    const always = await startContainer(client, ending, policy('always'))
    const retried = await startContainer(client, ending, policy('on-failure', 2))
    const never = await startContainer(client, ending, policy('no'))
    const stopped = await startContainer(client, ['sleep', '100'], policy('unless-stopped'))
    const revived = await startContainer(client, ['sleep', '100'], policy('always'))
    const failed = await startContainer(client, ['sleep', '100'], policy('on-failure'))
    const trapped = await startContainer(client, ['sh', '-c', 'trap "exit 0" TERM; echo ready; while :; do usleep 20000; done'], policy('on-failure'), { StopTimeout: 10 })
    await until('it minds the signal', async () => (await logOf(client, trapped)) === 'ready\n')
    for (const id of [stopped, revived, failed]) await client.request('POST', `/containers/${id}/stop`, { query: { t: 0 } })
    await client.request('POST', `/containers/${trapped}/stop`)
    const first = (await inspectContainer(client, always)).State.StartedAt
    await kill(500)
    await until('always runs again', async () => (await inspectContainer(client, always)).State.StartedAt !== first)
    await until('two more tries are made', async () => {
      const { State, RestartCount } = await inspectContainer(client, retried)
      return State.Status === 'exited' && RestartCount === 2 && State.ExitCode === 5
    })
    // As Docker does, whose documentation says otherwise of on-failure.
    for (const id of [revived, failed]) await until('what was stopped by hand runs again', async () => (await inspectContainer(client, id)).State.Running)
    for (const id of [never, stopped, trapped]) assert.equal((await inspectContainer(client, id)).State.Status, 'exited')
    for (const id of [always, retried, never, stopped, revived, failed, trapped]) await client.request('DELETE', `/containers/${id}`, { query: { force: true } })
  })

  it('are told of by events from the next one', async () => {
    const id = await startContainer(client, ['sh', '-c', "trap 'exit 2' USR1; while :; do sleep 0.05; done"])
    const still = await startContainer(client, ['sleep', '100'])
    const { Pid } = (await inspectContainer(client, id)).State
    await daemon.stop('SIGKILL')
    process.kill(Pid, 'SIGUSR1')
    await until('it has ended', () => !existsSync(`/proc/${Pid}`))
    const from = Date.now() / 1000
    await daemon.start()
    await client.request('POST', `/containers/${still}/kill`)
    await client.request('POST', `/containers/${still}/wait`)
    const seen: string[] = []
    for await (const { Action, Actor } of (await client.stream('GET', '/events', { query: { since: from, until: Date.now() / 1000 + 0.01, filters: { type: ['container'] } } })).lines<{ Action: string; Actor: { ID: string; Attributes: Record<string, string> } }>()) {
      seen.push(`${Actor.ID === id ? 'ended' : Actor.ID === still ? 'still' : Actor.ID} ${Action} ${Actor.Attributes['exitCode'] ?? ''}`.trim())
    }
    assert.deepEqual(seen, ['ended die 2', 'still kill', 'still die 137'])
  })

  it('while it ran nothing but the shim leave nothing behind', async () => {
    const id = await createContainer(client, ['true'])
    await kill()
    await kill()
    await client.request('POST', `/containers/${id}/start`)
    await client.request('POST', `/containers/${id}/wait`)
    await removeEverything(daemon, client)
    assert.doesNotMatch(daemon.log(), / error /)
  })
})
