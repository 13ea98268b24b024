import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { connect, frames, type Client, type ProgressLine } from '@engine/api/client'
import { responses } from '@engine/api/responses'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'

let daemon: TestDaemon
let client: Client

before(async () => {
  daemon = await startDaemon()
  client = connect(daemon.host)
  for await (const _line of (await client.stream('POST', '/images/create', { query: { fromSrc: '-', repo: 'busybox:1' }, body: busyboxTar() })).lines<ProgressLine>()) void _line
})
after(() => daemon[Symbol.asyncDispose]())

/** Sends a request and holds the answer against its schema, which Docker's own answers fit too. */
async function checked<T = Record<string, unknown>>(operation: keyof typeof responses, method: string, path: string, options: Parameters<Client['request']>[2] = {}): Promise<T> {
  const { body } = await client.request(method, path, options)
  const parsed = responses[operation]?.safeParse(body)
  assert.ok(parsed !== undefined)
  assert.equal(parsed.success, true, `${operation}: ${JSON.stringify(parsed.error?.issues[0])}`)
  return body as T
}

async function run(name: string, Cmd: readonly string[], HostConfig: object = {}): Promise<string> {
  const { Id } = await checked<{ Id: string }>('ContainerCreate', 'POST', '/containers/create', { query: { name }, body: { Image: 'busybox:1', Cmd, HostConfig } })
  await client.request('POST', `/containers/${Id}/start`)
  return Id
}

describe('answers have the shape of the contract', () => {
  it('of the system', async () => {
    await checked('SystemVersion', 'GET', '/version')
    await checked('SystemInfo', 'GET', '/info')
    await checked('NetworkList', 'GET', '/networks')
    await checked('NetworkInspect', 'GET', '/networks/bridge')
    await checked('PluginList', 'GET', '/plugins')
  })

  it('of images', async () => {
    await checked('ImageList', 'GET', '/images/json', { query: { 'shared-size': true } })
    await checked('ImageInspect', 'GET', '/images/busybox:1/json')
    await checked('ImageHistory', 'GET', '/images/busybox:1/history')
    await client.request('POST', '/images/busybox:1/tag', { query: { repo: 'h:5000/a/b', tag: 'c' } })
    assert.deepEqual(await checked<unknown>('ImageDelete', 'DELETE', '/images/h:5000/a/b:c'), [{ Untagged: 'h:5000/a/b:c' }])
    await checked('ImagePrune', 'POST', '/images/prune')
  })

  it('of volumes', async () => {
    await checked('VolumeCreate', 'POST', '/volumes/create', { body: { Name: 'v1', Labels: { a: 'b' } } })
    await checked('VolumeInspect', 'GET', '/volumes/v1')
    await checked('VolumeList', 'GET', '/volumes')
    assert.equal((await client.request('DELETE', '/volumes/v1')).status, 204)
  })

  it('of a container from its creation to its end', async () => {
    const id = await run('life', ['sleep', '300'], { Tmpfs: { '/t': '' }, RestartPolicy: { Name: 'no' } })
    await checked('ContainerInspect', 'GET', '/containers/life/json', { query: { size: true } })
    await checked('ContainerList', 'GET', '/containers/json', { query: { all: true, size: true } })
    await checked('ContainerTop', 'GET', '/containers/life/top')
    const exec = await checked<{ Id: string }>('ContainerExec', 'POST', '/containers/life/exec', { body: { Cmd: ['true'] } })
    await client.request('POST', `/exec/${exec.Id}/start`, { body: { Detach: true } })
    await checked('ExecInspect', 'GET', `/exec/${exec.Id}/json`)
    assert.equal((await client.request('POST', '/containers/life/kill')).status, 204)
    assert.deepEqual(await checked<unknown>('ContainerWait', 'POST', '/containers/life/wait'), { StatusCode: 137 })
    await assert.rejects(client.request('POST', '/containers/life/kill'), { status: 409 })
    assert.equal((await client.request('POST', '/containers/life/stop')).status, 304)
    const ledger = await checked<{ Cause: string; CauseID: string; Call: string }[]>('ContainerExplain', 'GET', `/containers/${id}/explain`)
    assert.ok(ledger.some(({ Cause, Call }) => Cause === 'POST /containers/' + id + '/start' && Call === 'execve'), JSON.stringify(ledger.map(({ Call, Cause }) => `${Cause} ${Call}`).slice(0, 20)))
    await checked('ImageCommit', 'POST', '/commit', { query: { container: 'life', repo: 'kept', tag: '1' }, body: null })
    assert.equal((await client.request('DELETE', '/containers/life')).status, 204)
    await checked('ContainerPrune', 'POST', '/containers/prune')
  })

  it('of events, with all nine digits of their nanoseconds', async () => {
    const id = await run('eventful', ['true'])
    await client.request('POST', `/containers/${id}/wait`)
    await client.request('DELETE', `/containers/${id}`)
    const { body } = await client.stream('GET', '/events', { query: { since: 1, until: Math.floor(Date.now() / 1000) + 1, filters: { container: [id] } } })
    const text = (await body.toArray()).join('')
    const lines = text.trim().split('\n').map((line) => JSON.parse(line) as { Action: string })
    for (const line of lines) assert.equal(responses.SystemEvents?.safeParse(line).success, true, JSON.stringify(line))
    const actions = lines.map(({ Action }) => Action)
    assert.ok(['create', 'start', 'die', 'destroy'].every((action) => actions.includes(action)), actions.join())
    assert.match(text, /"timeNano":\d{19}[,}]/)
  })
})

describe('streams', () => {
  it('are the same by attach before the start and by logs after the end', async () => {
    const { body } = await client.request<{ Id: string }>('POST', '/containers/create', { body: { Image: 'busybox:1', OpenStdin: true, StdinOnce: true, Cmd: ['sh', '-c', 'cat; echo done >&2'] } })
    const { socket, head } = await client.hijack('POST', `/containers/${body.Id}/attach`, { query: { stream: true, stdin: true, stdout: true, stderr: true } })
    const waited = await client.stream('POST', `/containers/${body.Id}/wait`, { query: { condition: 'next-exit' } })
    await client.request('POST', `/containers/${body.Id}/start`)
    socket.end('through and through\n')
    socket.unshift(head)
    const seen = { stdin: '', stdout: '', stderr: '', system: '' }
    for await (const { stream, data } of frames(socket)) seen[stream] += data.toString()
    assert.deepEqual(seen, { stdin: '', stdout: 'through and through\n', stderr: 'done\n', system: '' })
    assert.deepEqual(JSON.parse((await waited.body.toArray()).join('')), { StatusCode: 0 })
    const logged = { ...seen, stdout: '', stderr: '' }
    const logs = await client.stream('GET', `/containers/${body.Id}/logs`, { query: { stdout: true, stderr: true } })
    for await (const { stream, data } of frames(logs.body)) logged[stream] += data.toString()
    assert.deepEqual(logged, seen)
    await client.request('DELETE', `/containers/${body.Id}`)
  })

  it('of a container go on when the daemon is restarted', async () => {
    const id = await run('lasting', ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo $i; sleep 0.2; done'])
    await daemon.stop()
    await daemon.start()
    const logs = await client.stream('GET', `/containers/${id}/logs`, { query: { stdout: true, follow: true } })
    let text = ''
    for await (const { data } of frames(logs.body)) text += data.toString()
    assert.equal(text, Array.from({ length: 15 }, (_, index) => `${index + 1}\n`).join(''))
    await client.request('DELETE', `/containers/${id}`)
  })
})
