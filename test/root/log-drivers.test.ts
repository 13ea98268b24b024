import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { connect, frames, type Client } from '@engine/api/client'
import { Forwarder } from '../../packages/engine/src/logs/drivers/forwarder.ts'
import { createContainer, execIn, importBusybox, logOf, startContainer, until } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { UnixDatagrams } from '../harness/unix-datagrams.ts'

let daemon: TestDaemon
let client: Client
let directory = ''

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'engine-syslog-'))
  daemon = await startDaemon({ 'log-driver': 'local', 'log-opts': { 'max-size': '64k', 'max-file': '3' } })
  client = connect(daemon.host)
  await importBusybox(client)
})
after(async () => {
  await daemon[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const logging = (Type: string, Config: Record<string, string> = {}) => ({ NetworkMode: 'none', LogConfig: { Type, Config } })
const ended = (id: string): Promise<unknown> => client.request('POST', `/containers/${id}/wait`)

/** A server that collects what it is sent. */
async function collector(listen: number | string, make: (onSocket: (socket: Socket) => void) => Server = createServer): Promise<{ server: Server; port: number; text: () => string; sockets: Socket[] }> {
  let text = ''
  const sockets: Socket[] = []
  const server = make((socket) => {
    sockets.push(socket)
    socket.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => undefined)
  })
  await new Promise<void>((resolve) => (typeof listen === 'number' ? server.listen(listen, '127.0.0.1', resolve) : server.listen(listen, resolve)))
  return { server, port: (server.address() as AddressInfo).port, text: () => text, sockets }
}

async function readLog(id: string, query: object): Promise<string[]> {
  const { body } = await client.stream('GET', `/containers/${id}/logs`, { query: { stdout: 1, stderr: 1, ...query } })
  const lines: string[] = []
  for await (const { data } of frames(body)) lines.push(data.toString().trimEnd())
  return lines
}

describe('driver syslog', () => {
  const program = ['sh', '-c', 'echo out; echo err >&2; printf unended']

  it('sends lines by tcp in each format, and they can be read back', async () => {
    const { server, port, text } = await collector(0)
    try {
      const date = '[A-Z][a-z]{2} [ 0-9]\\d \\d\\d:\\d\\d:\\d\\d'
      const iso = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d'
      const host = hostname().replaceAll('.', '\\.')
      for (const [format, facility, out] of [
        ['', '', `<30>${date} tag1\\[\\d+\\]: out\n`],
        ['rfc3164', 'local3', `<158>${date} ${host} tag1\\[\\d+\\]: out\n`],
        ['rfc5424', 'kern', `<6>1 ${iso}(Z|[+-]\\d\\d:\\d\\d) ${host} tag1 \\d+ tag1 - out\n`],
        ['rfc5424micro', '1', `<14>1 ${iso}\\.\\d{6}(Z|[+-]\\d\\d:\\d\\d) ${host} tag1 \\d+ tag1 - out\n`],
      ] as const) {
        const before = text().length
        const id = await startContainer(client, program, logging('syslog', { 'syslog-address': `tcp://127.0.0.1:${port}`, 'syslog-format': format, 'syslog-facility': facility, tag: 'tag1' }))
        await ended(id)
        await until('all has come', () => text().slice(before).includes('unended\n'))
        assert.match(text().slice(before), new RegExp(out))
        assert.match(text().slice(before), /: err\n|- err\n/)
        assert.deepEqual((await readLog(id, {})).sort(), ['err', 'out', 'unended'])
      }
    } finally {
      server.close()
    }
  })

  it('sends them by udp, unix streams, unix datagrams and TLS', async () => {
    const udp = createSocket('udp4')
    let datagrams = ''
    udp.on('message', (message) => (datagrams += message.toString()))
    await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve))
    const stream = await collector(join(directory, 'stream'))
    const unix = new UnixDatagrams(join(directory, 'datagrams'))
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(directory, 'key'), '-out', join(directory, 'cert'), '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'pipe' })
    const pem = { key: readFileSync(join(directory, 'key')), cert: readFileSync(join(directory, 'cert')) }
    const tls = await collector(0, (onSocket) => createTlsServer(pem, onSocket))
    let local = ''
    const received = (): string => {
      for (let message = unix.receive(); message !== undefined; message = unix.receive()) local += message
      return local
    }
    try {
      for (const [address, text, more] of [
        [`udp://127.0.0.1:${udp.address().port}`, () => datagrams, {}],
        [`unix://${join(directory, 'stream')}`, () => stream.text(), {}],
        [`unixgram://${join(directory, 'datagrams')}`, received, {}],
        [`tcp+tls://127.0.0.1:${tls.port}`, () => tls.text(), { 'syslog-tls-ca-cert': join(directory, 'cert'), 'syslog-format': 'rfc5424' }],
      ] as const) {
        const id = await startContainer(client, program, logging('syslog', { 'syslog-address': address, ...more }))
        await until(`${address} has all`, () => ['out\n', 'err\n', 'unended\n'].every((line) => text().includes(line)))
        assert.ok(text().includes(id.slice(0, 12)), 'the tag is the short id')
      }
      // RFC 5425: each message has its length before it.
      assert.match(tls.text(), /^(\d+) </)
      const length = Number(/^\d+/.exec(tls.text())?.[0])
      assert.match(tls.text().slice(String(length).length + 1 + length), /^\d+ </)
      await assert.rejects(startContainer(client, program, logging('syslog', { 'syslog-address': `tcp+tls://127.0.0.1:${tls.port}` })), /self-signed certificate/)
    } finally {
      udp.close()
      stream.server.close()
      unix.close()
      tls.server.close()
    }
  })

  it('that cannot be reached fails the start, and one that is lost costs its lines only', async () => {
    const { server, port, text, sockets } = await collector(0)
    const address = `tcp://127.0.0.1:${port}`
    const id = await startContainer(client, ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo line $i; usleep 20000; done'], logging('syslog', { 'syslog-address': address }))
    await until('lines come', () => text().includes('line 3\n'))
    server.close()
    for (const socket of sockets) socket.destroy()
    const count = text().length
    const refused = await createContainer(client, ['true'], logging('syslog', { 'syslog-address': address }))
    await assert.rejects(client.request('POST', `/containers/${refused}/start`), {
      message: `failed to create task for container: failed to initialize logging driver: dial tcp 127.0.0.1:${port}: connect: connection refused`,
    })
    const again = await collector(port)
    await until('the way is found again', () => again.text().includes('line '))
    assert.ok(text().length >= count)
    await client.request('POST', `/containers/${id}/kill`)
    again.server.close()
    const numbers = (await readLog(id, {})).map((line) => Number(line.slice(5)))
    assert.deepEqual(numbers, numbers.map((_, index) => index + 1), 'what is read back has every line')
  })

  it('without blocking drops what a stalled receiver does not take, and the container goes on', async () => {
    const stalled: Socket[] = []
    const server = createServer((socket) => void stalled.push(socket.pause().on('error', () => undefined)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
    const loud = ['sh', '-c', 'yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 40m; echo done']
    const dropping = await startContainer(client, loud, logging('syslog', { 'syslog-address': address, mode: 'non-blocking', 'max-buffer-size': '1m', 'cache-disabled': 'true' }))
    await ended(dropping)
    await assert.rejects(readLog(dropping, {}), { message: 'configured logging driver does not support reading' })
    // Blocking, the spool fills, and the container waits.
    const blocking = await startContainer(client, loud, logging('syslog', { 'syslog-address': address, 'cache-disabled': 'true' }))
    await until('the spool is full', () => spoolBytes(blocking) > 4 << 20)
    assert.equal((await execIn(client, blocking, ['true'])).code, 0)
    await client.request('DELETE', `/containers/${blocking}`, { query: { force: true } })
    for (const socket of stalled) socket.destroy()
    server.close()
  })
})

function spoolBytes(id: string): number {
  return Number(execFileSync('du', ['-sb', join(daemon.dataRoot, 'containers', id, 'spool')], { encoding: 'utf8' }).split('\t')[0])
}

describe('driver journald', () => {
  it('sends datagrams of its native protocol', async () => {
    const journal = new UnixDatagrams(join(directory, 'journal'))
    const forwarder = new Forwarder({ kind: 'journald', socket: journal.path, fields: { CONTAINER_NAME: 'n', CONTAINER_TAG: 't' } }, { onRoom: () => undefined, onTrouble: assert.fail })
    forwarder.lines(Buffer.from('one\ntwo\n'), 'stderr', 1_700_000_000_123_456_789n)
    forwarder.partial(Buffer.from('three'), 'stdout', 1_700_000_000_123_456_789n)
    await forwarder.close()
    const common = 'CONTAINER_NAME=n\nCONTAINER_TAG=t\nSYSLOG_TIMESTAMP=2023-11-14T22:13:20.123456789Z\n'
    assert.deepEqual([journal.receive(), journal.receive(), journal.receive(), journal.receive()], [
      `MESSAGE=one\nPRIORITY=3\n${common}`, `MESSAGE=two\nPRIORITY=3\n${common}`, `MESSAGE=three\nPRIORITY=6\n${common}CONTAINER_PARTIAL_MESSAGE=true\n`, undefined,
    ])
    journal.close()
  })

  it('fails the start where there is no journal', { skip: existsSync('/run/systemd/journal/socket') ? 'there is one' : false }, async () => {
    await assert.rejects(startContainer(client, ['true'], logging('journald')), { message: 'failed to create task for container: failed to initialize logging driver: journald is not enabled on this host' })
  })
})

describe('driver local', () => {
  it('is what the configuration says, rotates, compresses, and reads back', async () => {
    const id = await startContainer(client, ['sh', '-c', 'i=0; while [ $i -lt 1800 ]; do i=$((i+1)); echo line $i; done'], { NetworkMode: 'none' })
    await ended(id)
    const { body } = await client.request<{ HostConfig: { LogConfig: object }; LogPath: string }>('GET', `/containers/${id}/json`)
    assert.deepEqual([body.HostConfig.LogConfig, body.LogPath], [{ Type: 'local', Config: { 'max-size': '64k', 'max-file': '3' } }, ''])
    // A file that is full while the last one is being compressed grows on: how many there are is a matter of time.
    await until('a rotated file is compressed', () => readdirSync(join(daemon.dataRoot, 'containers', id)).includes('container.log.1.gz'))
    assert.deepEqual(await readLog(id, { tail: 3 }), ['line 1798', 'line 1799', 'line 1800'])
    const all = await readLog(id, {})
    assert.equal(all.at(-1), 'line 1800')
    assert.deepEqual(all, Array.from({ length: all.length }, (_, index) => `line ${1800 - all.length + 1 + index}`))
    const times = (await readLog(id, { timestamps: 1 })).map((line) => line.split(' ')[0] as string)
    const middle = times[Math.floor(times.length / 2)] as string
    assert.equal((await readLog(id, { since: middle })).length, times.filter((time) => time >= middle).length)
    assert.equal((await readLog(id, { until: middle })).length, times.filter((time) => time <= middle).length)
  })

  it('has its options, and those of others, checked in the words of Docker', async () => {
    for (const [driver, options, message] of [
      ['local', { labels: 'x' }, "unknown log opt 'labels' for log driver local"],
      ['syslog', { foo: '1' }, "unknown log opt 'foo' for syslog log driver"],
      ['syslog', { 'syslog-address': 'ftp://x' }, "unsupported scheme: 'ftp'"],
      ['syslog', { 'syslog-address': 'tcp://h:p' }, 'parse "tcp://h:p": invalid port ":p" after host'],
      ['syslog', { 'syslog-address': 'unix:///nope' }, 'stat /nope: no such file or directory'],
      ['syslog', { 'syslog-facility': 'z' }, 'invalid syslog facility'],
      ['syslog', { 'syslog-format': 'z' }, 'Invalid syslog format'],
      ['json-file', { mode: 'x' }, 'logger: logging mode not supported: x'],
      ['json-file', { 'max-buffer-size': '1m' }, "logger: max-buffer-size option is only supported with 'mode=non-blocking'"],
      ['json-file', { mode: 'non-blocking', 'max-buffer-size': 'zz' }, "error parsing option max-buffer-size: invalid size: 'zz'"],
      ['json-file', { 'cache-disabled': 'zz' }, 'invalid value for option cache-disabled: zz'],
      ['gelf', {}, 'logging driver "gelf" is not supported'],
      ['nosuch', {}, 'error looking up logging plugin nosuch: plugin "nosuch" not found'],
    ] as const) {
      await assert.rejects(createContainer(client, ['true'], logging(driver, options)), { message })
    }
    const start = 'failed to create task for container: failed to initialize logging driver: '
    for (const [driver, options, message] of [
      ['json-file', { 'max-size': 'zz' }, "invalid size: 'zz'"],
      ['json-file', { tag: '{{.Foo}}' }, 'template: log-tag:1:2: executing "log-tag" at <.Foo>: can\'t evaluate field Foo in type *logger.Info'],
      ['local', { 'max-file': '1' }, 'compression cannot be enabled when max file count is 1'],
    ] as const) {
      await assert.rejects(startContainer(client, ['true'], logging(driver, options)), { message: start + message })
    }
  })

  it('json-file has labels, variables and a tag in its lines, which details show', async () => {
    const options = { labels: 'a', 'env-regex': '^X', tag: '{{.Name}}/{{.ImageName}}' }
    const id = await startContainer(client, ['echo', 'hello'], logging('json-file', options), { Labels: { a: 'b c', z: '1' }, Env: ['X1=y', 'Y=1'] })
    await ended(id)
    const { body } = await client.request<{ Name: string; LogPath: string }>('GET', `/containers/${id}/json`)
    const line = JSON.parse(readFileSync(body.LogPath, 'utf8')) as { attrs: object }
    assert.deepEqual(line.attrs, { X1: 'y', a: 'b c', tag: `${body.Name.slice(1)}/busybox` })
    assert.deepEqual(await readLog(id, { details: 1 }), [`X1=y,a=b+c,tag=${body.Name.slice(1)}%2Fbusybox hello`])
    assert.equal(await logOf(client, id), 'hello\n')
  })
})
