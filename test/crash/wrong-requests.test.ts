import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect as connectSocket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { connect, type Client } from '@engine/api/client'
import { importBusybox } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { discrepancies, hostState, rows, settledDiscrepancies } from '../harness/host-state.ts'
import { contextTar } from '../harness/kill-points.ts'

let daemon: TestDaemon
let client: Client

before(async () => {
  daemon = await startDaemon()
  client = connect(daemon.host)
  await importBusybox(client)
  const create = async (name: string, Cmd: readonly string[], HostConfig: object = {}): Promise<void> => {
    await client.request('POST', '/containers/create', { query: { name }, body: { Image: 'busybox', Cmd, HostConfig } })
  }
  await create('idle', ['true'], { Binds: ['used:/used'] })
  await create('nothing', ['no-such-program'])
  await create('nowhere', ['true'], { Binds: ['/no/such/directory:/there'].map((bind) => bind.replace('/no/such/directory', `${daemon.directory}/log/below`)) })
  for (const name of ['running', 'paused']) {
    await create(name, ['sleep', '1000'])
    await client.request('POST', `/containers/${name}/start`)
  }
  await client.request('POST', '/containers/paused/pause')
})
after(() => daemon?.[Symbol.asyncDispose]())

/** Everything of the daemon's that a request could have changed. */
async function whole(): Promise<object> {
  const { body } = await daemon.api('GET', '/networks')
  const leases = await daemon.api('GET', '/networks/bridge')
  return { host: hostState(daemon), rows: rows(daemon), networks: body, leases: leases.body }
}

async function unchanged(what: string, work: () => Promise<void>): Promise<void> {
  const before = await whole()
  await work()
  assert.deepEqual(await settledDiscrepancies(daemon), [], what)
  assert.deepEqual(await whole(), before, what)
}

const image = { Image: 'busybox', Cmd: ['true'] }
const host = (HostConfig: object): object => ({ ...image, HostConfig })
const mount = (Mount: object): object => host({ Mounts: [Mount] })

/** Requests that must be refused: method, path, status, body. */
const requests: readonly (readonly [string, string, number, unknown?])[] = [
  // Paths and versions
  ['GET', '/no/such/path', 404],
  ['GET', '/v9.99/containers/json', 400],
  ['GET', '/v1.23/containers/json', 400],
  ['PUT', '/containers/json', 404],
  // Containers that are not there, or are called what cannot be
  ...['GET|json', 'GET|logs?stdout=1', 'GET|top', 'POST|start', 'POST|stop', 'POST|kill', 'POST|pause', 'POST|unpause', 'POST|wait', 'POST|restart', 'POST|rename?name=x1', 'POST|attach', 'DELETE|'].flatMap((verb) => {
    const [method = '', end = ''] = verb.split('|')
    return ['no-such', 'f'.repeat(64), '..%2f..%2fetc', '%00'].map((name) => [method, `/containers/${name}${end === '' ? '' : `/${end}`}`, 404] as const)
  }),
  ['POST', '/containers/no-such/exec', 404, { Cmd: ['true'] }],
  // Bodies that are no containers
  ['POST', '/containers/create', 400, ''],
  ['POST', '/containers/create', 400, '{'],
  ['POST', '/containers/create', 400, '[]'],
  ['POST', '/containers/create', 400, 'null'],
  ['POST', '/containers/create', 400, {}],
  ['POST', '/containers/create', 400, { Image: 5 }],
  ['POST', '/containers/create', 400, { Image: '' }],
  ['POST', '/containers/create', 404, { Image: 'no-such-image' }],
  ['POST', '/containers/create', 404, { Image: 'UPPER/case' }],
  ['POST', '/containers/create', 404, { ...image, Image: `sha256:${'0'.repeat(64)}` }],
  ['POST', '/containers/create', 400, { ...image, Cmd: { a: 1 } }],
  ['POST', '/containers/create', 400, { ...image, WorkingDir: 'relative' }],
  ['POST', '/containers/create?name=idle', 409, image],
  ['POST', '/containers/create?name=..', 400, image],
  ['POST', '/containers/create?name=a%2Fb', 400, image],
  ['POST', '/containers/create?name=-dash', 400, image],
  ['POST', '/containers/create?platform=other/arch', 400, image],
  // HostConfig
  ['POST', '/containers/create', 400, host({ Memory: 'much' })],
  ['POST', '/containers/create', 400, host({ Memory: 1 })],
  ['POST', '/containers/create', 400, host({ Memory: 64 << 20, MemorySwap: 32 << 20 })],
  ['POST', '/containers/create', 400, host({ NanoCpus: 1e15 })],
  ['POST', '/containers/create', 400, host({ CpuQuota: 10 })],
  ['POST', '/containers/create', 400, host({ CpusetCpus: '0-9999' })],
  ['POST', '/containers/create', 400, host({ CpusetCpus: 'a' })],
  ['POST', '/containers/create', 400, host({ OomScoreAdj: 5000 })],
  ['POST', '/containers/create', 400, host({ ShmSize: -1 })],
  ['POST', '/containers/create', 400, host({ RestartPolicy: { Name: 'sometimes' } })],
  ['POST', '/containers/create', 400, host({ RestartPolicy: { Name: 'always' }, AutoRemove: true })],
  ['POST', '/containers/create', 400, host({ IpcMode: 'none such' })],
  ['POST', '/containers/create', 400, host({ PidMode: 'container:no-such' })],
  ['POST', '/containers/create', 400, host({ LogConfig: { Type: 'no-such' } })],
  ['POST', '/containers/create', 400, host({ LogConfig: { Type: 'json-file', Config: { unknown: '1' } } })],
  ['POST', '/containers/create', 400, host({ Binds: ['relative/path:/there'] })],
  ['POST', '/containers/create', 400, host({ Binds: ['fresh:not/absolute'] })],
  ['POST', '/containers/create', 400, host({ Binds: ['fresh:/there:nonsense'] })],
  ['POST', '/containers/create', 400, host({ Binds: ['fresh:/'] })],
  ['POST', '/containers/create', 400, host({ Binds: ['fresh:/there', 'other:/there'] })],
  ['POST', '/containers/create', 400, host({ Binds: ['../up:/there'] })],
  ['POST', '/containers/create', 400, mount({ Type: 'bind', Source: '/no/such/source', Target: '/there' })],
  ['POST', '/containers/create', 400, mount({ Type: 'nonsense', Target: '/there' })],
  ['POST', '/containers/create', 400, mount({ Type: 'volume', Source: 'fresh', Target: '' })],
  ['POST', '/containers/create', 400, mount({ Type: 'volume', Source: '/absolute', Target: '/there' })],
  ['POST', '/containers/create', 400, mount({ Type: 'tmpfs', Source: '/x', Target: '/there' })],
  ['POST', '/containers/create', 404, mount({ Type: 'volume', Source: 'fresh', Target: '/there', VolumeOptions: { DriverConfig: { Name: 'no-such' } } })],
  ['POST', '/containers/create', 404, host({ Binds: ['fresh:/there'], VolumeDriver: 'no-such' })],
  // A volume on a file: found out when the volume has been made.
  ['POST', '/containers/create', 500, { ...image, Volumes: { '/bin/busybox': {} } }],
  // States
  ['POST', '/containers/running/start', 304],
  ['POST', '/containers/idle/stop', 304],
  ['POST', '/containers/paused/start', 409],
  ['POST', '/containers/idle/kill', 409],
  ['POST', '/containers/running/kill?signal=NONSENSE', 400],
  ['POST', '/containers/running/kill?signal=999', 400],
  ['POST', '/containers/idle/pause', 409],
  ['POST', '/containers/paused/pause', 409],
  ['POST', '/containers/running/unpause', 409],
  ['POST', '/containers/running/rename?name=idle', 409],
  ['POST', '/containers/running/rename?name=a%20b', 400],
  ['POST', '/containers/running/rename', 400],
  ['POST', '/containers/running/resize?h=a&w=b', 400],
  ['POST', '/containers/running/wait?condition=sometime', 400],
  ['GET', '/containers/running/logs', 400],
  ['GET', '/containers/running/top?ps_args=--no-such-option', 500],
  ['DELETE', '/containers/running', 409],
  ['DELETE', '/containers/paused', 409],
  ['DELETE', '/containers/idle?link=1', 400],
  // Execs
  ['POST', '/containers/running/exec', 400, ''],
  ['POST', '/containers/running/exec', 400, {}],
  ['POST', '/containers/running/exec', 400, { Cmd: [] }],
  ['POST', '/containers/idle/exec', 409, { Cmd: ['true'] }],
  ['POST', '/containers/paused/exec', 409, { Cmd: ['true'] }],
  ['POST', '/exec/no-such/start', 404, {}],
  ['GET', '/exec/no-such/json', 404],
  // Images
  ['GET', '/images/no-such/json', 404],
  ['GET', '/images/UPPER/json', 400],
  ['DELETE', '/images/no-such', 404],
  ['DELETE', '/images/busybox', 409],
  ['POST', '/images/no-such/tag?repo=x', 404],
  ['POST', '/images/busybox/tag?repo=UPPER', 400],
  ['POST', '/images/busybox/tag?repo=x&tag=..bad', 400],
  ['POST', '/images/create?fromSrc=-&repo=UPPER', 400, 'no tar'],
  ['POST', '/images/create?fromSrc=-&changes=NONSENSE', 400, 'no tar'],
  ['POST', '/images/create', 400],
  ['POST', '/commit?container=no-such', 404],
  ['POST', '/commit?container=idle&repo=UPPER', 400],
  ['POST', '/commit?container=idle&changes=NONSENSE', 400],
  ['POST', '/build?t=UPPER', 400, ''],
  // Volumes
  ['GET', '/volumes/no-such', 404],
  ['DELETE', '/volumes/no-such', 404],
  ['DELETE', '/volumes/used', 409],
  ['DELETE', '/volumes/..%2f..', 404],
  ['POST', '/volumes/create', 400, '{'],
  ['POST', '/volumes/create', 400, { Name: '../up' }],
  ['POST', '/volumes/create', 400, { Name: 'a' }],
  ['POST', '/volumes/create', 400, { Name: '.removed' }],
  ['POST', '/volumes/create', 400, { Name: 'fresh', DriverOpts: { nonsense: '1' } }],
  ['POST', '/volumes/create', 404, { Name: 'fresh', Driver: 'no-such' }],
  // Networks and what is not there
  ['GET', '/networks/no-such', 404],
  ['GET', '/containers/json?filters={', 400],
  ['GET', '/containers/json?filters={"no-such":["x"]}', 400],
  ['GET', '/containers/json?limit=many', 400],
  ['GET', '/events?since=yesterday', 400],
]

describe('a wrong request changes nothing', () => {
  for (const [method, path, status, body] of requests) {
    const shown = body === undefined ? '' : ` ${typeof body === 'string' ? JSON.stringify(body) : JSON.stringify(body).replace('"Image":"busybox","Cmd":["true"],', '')}`
    it(`${method} ${path}${shown}`, () =>
      unchanged(path, async () => {
        const answer = await sent(method, `${/^\/v\d/.test(path) ? '' : '/v1.51'}${path}`, body)
        assert.equal(answer.status, status, answer.text)
        if (status < 400) return
        // Clients of versions before 1.24 know errors as text only.
        const message: unknown = path.startsWith('/v1.23/') ? answer.text.trim() : (JSON.parse(answer.text) as { message?: unknown }).message
        assert.ok(typeof message === 'string' && message !== '', answer.text)
        assert.doesNotMatch(message, /undefined|\[object|\bat .*\.ts:/)
      }))
  }
})

/** Sends a request with a body as it is, or as JSON. */
async function sent(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
  const bytes = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await raw(`${method} ${encodeURI(path).replaceAll('%25', '%')} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(bytes)}\r\n\r\n${bytes}`)
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), text: /transfer-encoding: chunked/i.test(head) ? rest.join('\r\n\r\n').replaceAll(/^[0-9a-f]+\r\n|\r\n[0-9a-f]*(\r\n|$)/g, '') : rest.join('\r\n\r\n') }
}

/** Writes bytes to the socket and reads what comes until the other side ends it. @param hangUp the connection is broken after the last byte */
function raw(bytes: string | Buffer, hangUp = false): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connectSocket(daemon.socket, () => {
      socket.write(bytes, () => {
        if (hangUp) setTimeout(() => socket.destroy(), 50)
      })
    })
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(answer) : reject(error)))
    socket.on('close', () => resolve(answer))
  })
}

describe('a start that cannot be leaves nothing behind', () => {
  for (const [name, status] of [['nothing', 400], ['nowhere', 500]] as const) {
    it(`of a container with ${name === 'nothing' ? 'no such program' : 'a source that cannot be made'}`, () =>
      unchanged(name, async () => {
        const answer = await sent('POST', `/v1.51/containers/${name}/start`, undefined)
        assert.equal(answer.status, status, answer.text)
      }))
  }

  it('nor does an exec of no program', async () => {
    const { body } = await client.request<{ Id: string }>('POST', '/containers/running/exec', { body: { Cmd: ['no-such-program'] } })
    const before = hostState(daemon)
    await assert.rejects(client.request('POST', `/exec/${body.Id}/start`, { body: { Detach: true } }), { status: 400 })
    assert.deepEqual(hostState(daemon), before)
    assert.deepEqual(await discrepancies(daemon), [])
  })
})

describe('a stream that is damaged or broken off leaves nothing', () => {
  const chunked = (method: string, path: string, content: Buffer, end: boolean): Buffer =>
    Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n${content.length.toString(16)}\r\n`), content, Buffer.from(end ? '\r\n0\r\n\r\n' : '')])
  const failing = contextTar('FROM busybox\nRUN echo made > /made; exit 3\n')
  const wrong = contextTar('FROM busybox\nNONSENSE\n')
  const missing = contextTar('FROM busybox\nCOPY no-such-file /\n')
  const good = contextTar('FROM busybox\nRUN sleep 100\n')
  const large = contextTar(`# ${'x'.repeat(300_000)}\nFROM busybox\n`)
  const noise = randomBytes(100_000)

  it('bytes that are no HTTP', () => unchanged('noise', async () => assert.match(await raw(noise), /^(HTTP\/1\.1 400|$)/)))
  it('a request without an end', () => unchanged('half', async () => assert.equal(await raw('POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"Image":"busy', true), '')))
  it('an import of noise', () => unchanged('import', async () => assert.match(await raw(chunked('POST', '/images/create?fromSrc=-&repo=noise', noise, true)), /error|message/)))
  it('an import that ends in the middle of a file', () => unchanged('import', async () => assert.match(await raw(chunked('POST', '/images/create?fromSrc=-&repo=cut', large.subarray(0, 100_000), true)), /unexpected EOF/)))
  it('an import whose client hangs up', () => unchanged('import', async () => void (await raw(chunked('POST', '/images/create?fromSrc=-&repo=cut', large.subarray(0, 100_000), false), true))))
  it('a build of noise', () => unchanged('build', async () => assert.match(await raw(chunked('POST', '/build?t=noise', noise, true)), /error|message/)))
  it('a build of no Dockerfile that can be read', () => unchanged('build', async () => assert.match(await raw(chunked('POST', '/build?t=wrong', wrong, true)), /unknown instruction: NONSENSE/i)))
  it('a build that copies what is not there', () => unchanged('build', async () => assert.match(await raw(chunked('POST', '/build?t=missing', missing, true)), /no-such-file/)))
  it('a build whose command fails', () => unchanged('build', async () => assert.match(await raw(chunked('POST', '/build?t=failing&forcerm=1', failing, true)), /returned a non-zero code: 3/)))
  it('a build whose client hangs up', () => unchanged('build', async () => {
    const socket = connectSocket(daemon.socket, () => socket.write(chunked('POST', '/build?t=gone', good, true)))
    const running = async (): Promise<boolean> => (await client.request<unknown[]>('GET', '/containers/json')).body.length > 2
    while (!(await running())) await new Promise((resolve) => setTimeout(resolve, 10))
    socket.destroy()
    while (await running()) await new Promise((resolve) => setTimeout(resolve, 10))
  }))
})
