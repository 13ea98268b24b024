import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { connect } from '@engine/api/client'
import { execIn, importBusybox, until } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { serveNames, type TestNameServer } from '../harness/name-server.ts'
import { inSandbox } from '../harness/network-host.ts'

let daemon: TestDaemon
let outside: TestNameServer

async function post(path: string, body?: unknown): Promise<Record<string, string>> {
  const answer = await daemon.api('POST', path, body)
  assert.ok(answer.status < 300, `${path}: ${answer.text}`)
  return answer.body as Record<string, string>
}

/** Runs a container on networks, the first of which is its NetworkMode. @returns its id */
async function on(name: string, endpoints: Readonly<Record<string, object>>, host: object = {}): Promise<string> {
  const { Id } = await post(`/containers/create?name=${name}`, { Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: Object.keys(endpoints)[0], ...host }, NetworkingConfig: { EndpointsConfig: endpoints } })
  await post(`/containers/${Id}/start`)
  return Id as string
}

interface Settings {
  readonly SandboxKey: string
  readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>
}

async function settings(id: string): Promise<Settings> {
  return ((await daemon.api('GET', `/containers/${id}/json`)).body as { NetworkSettings: Settings }).NetworkSettings
}

/** The addresses that busybox's nslookup prints for a name; what it says when it has none. */
async function lookUp(id: string, name: string, ...args: readonly string[]): Promise<string[] | string> {
  const { code, output } = await execIn(connect(daemon.host), id, ['nslookup', ...args, name])
  const answers = output.split('\n').slice(3).flatMap((line) => /^Address(?: \d+)?: +(\S+)/.exec(line)?.[1] ?? /name = (\S+)/.exec(line)?.[1] ?? [])
  return code === 0 || answers.length > 0 ? answers.toSorted() : output
}

before(async () => {
  daemon = await startDaemon()
  await importBusybox(connect(daemon.host))
  await post('/networks/create', { Name: 'front' })
  await post('/networks/create', { Name: 'back', EnableIPv6: true })
  await post('/networks/create', { Name: 'inner', Internal: true })
  const id = await on('nameserver', { front: {} })
  const { SandboxKey, Networks } = await settings(id)
  outside = await serveNames(Networks['front']?.IPAddress ?? '', { sandbox: SandboxKey })
})

after(async () => {
  await outside[Symbol.asyncDispose]()
  await daemon[Symbol.asyncDispose]()
})

describe('containers on networks of users’ own', () => {
  it('are found by name, alias and short id on their networks, and on no other', async () => {
    const web = await on('web', { front: { Aliases: ['www'] }, back: { Aliases: ['hidden'] } })
    const second = await on('web2', { front: { Aliases: ['www'] } })
    const db = await on('db', { back: {} })
    const { Networks } = await settings(web)
    const [front, other] = [Networks['front']?.IPAddress, (await settings(second)).Networks['front']?.IPAddress]
    assert.deepEqual(await lookUp(second, 'web', '-type=a'), [front])
    assert.deepEqual(await lookUp(second, web.slice(0, 12), '-type=a'), [front])
    assert.deepEqual(await lookUp(second, 'www', '-type=a'), [front, other].toSorted())
    assert.deepEqual(await lookUp(web, 'www.front', '-type=a'), [front, other].toSorted())
    assert.deepEqual(await lookUp(web, 'db', '-type=a'), [(await settings(db)).Networks['back']?.IPAddress])
    assert.match(String(await lookUp(web, 'db', '-type=aaaa')), /^fd/)
    assert.deepEqual(await lookUp(db, Networks['back']?.IPAddress ?? ''), ['web.back'])
    for (const name of ['db', 'hidden', 'web.back']) assert.doesNotMatch(String(await lookUp(second, name, '-type=a')), /^\d+\./, name)
    // Names come and go with connections, renaming and ends.
    await post('/networks/back/connect', { Container: second, EndpointConfig: { Aliases: ['late'] } })
    assert.deepEqual(await lookUp(second, 'db', '-type=a'), [(await settings(db)).Networks['back']?.IPAddress])
    assert.equal((await lookUp(db, 'late', '-type=a')).length, 1)
    await post(`/containers/${db}/rename?name=store`)
    assert.equal((await lookUp(web, 'store', '-type=a')).length, 1)
    assert.doesNotMatch(String(await lookUp(web, 'db', '-type=a')), /^\d+\./)
    await post('/networks/back/disconnect', { Container: second })
    assert.doesNotMatch(String(await lookUp(db, 'late', '-type=a')), /^\d+\./)
    await post(`/containers/${second}/kill`)
    assert.deepEqual(await lookUp(web, 'www', '-type=a'), [front])
  })

  it('ask nameservers outside, by UDP and TCP, a thousand at once', async () => {
    const address = (await settings('nameserver')).Networks['front']?.IPAddress ?? ''
    const id = await on('client', { front: {} }, { Dns: ['127.0.0.99', address] })
    assert.deepEqual(await lookUp(id, 'example.org', '-type=a'), ['10.20.30.40'])
    assert.match(String(await lookUp(id, 'refused.org', '-type=a')), /SERVFAIL|REFUSED/)
    const { SandboxKey } = await settings(id)
    const program = `
      const dgram = require('node:dgram'), net = require('node:net'), waiting = new Set()
      const query = (i) => { const name = 'n' + i, b = Buffer.alloc(12 + 1 + name.length + 5); b.writeUInt16BE(i); b[2] = 1; b[5] = 1; b[12] = name.length; b.write(name, 13); b[13 + name.length + 2] = 1; b[13 + name.length + 4] = 1; return b }
      const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
      socket.on('message', (m) => { if (m.toString('hex').endsWith('0a141e28')) waiting.delete(m.readUInt16BE(0)); if (waiting.size === 0) tcp() })
      socket.bind(0, '127.0.0.1', () => { for (let i = 0; i < 1000; i++) { waiting.add(i); socket.send(query(i), 53, '127.0.0.11') } })
      // As every stub resolver does with what got lost.
      setInterval(() => { for (const i of waiting) socket.send(query(i), 53, '127.0.0.11') }, 2000).unref()
      const timer = setTimeout(() => { console.log('unanswered: ' + waiting.size); process.exit(1) }, 20000)
      function tcp() {
        socket.close()
        const s = net.connect(53, '127.0.0.11'), q = query(7), l = Buffer.alloc(2); l.writeUInt16BE(q.length); s.write(Buffer.concat([l, q]))
        s.on('data', (d) => { console.log('tcp ' + d.toString('hex').endsWith('0a141e28')); process.exit(0) })
      }`
    assert.equal(execFileSync('nsenter', [`--net=${SandboxKey}`, process.execPath, '-e', program], { encoding: 'utf8' }), 'tcp true\n')
    await until('the nameserver has said what it was asked', () => outside.asked().includes('n999 1 udp') && outside.asked().includes('n7 1 tcp'))
  })

  it('on an internal network do not reach the host’s nameservers, but one of their own', async () => {
    const id = await on('inside', { inner: {} })
    assert.match(String(await lookUp(id, 'example.org', '-type=a')), /SERVFAIL/)
    const { SandboxKey, Networks } = await settings(id)
    await using own = await serveNames(Networks['inner']?.IPAddress ?? '', { sandbox: SandboxKey })
    const neighbour = await on('neighbour', { inner: {} }, { Dns: [Networks['inner']?.IPAddress] })
    assert.deepEqual(await lookUp(neighbour, 'example.org', '-type=a'), ['10.20.30.40'])
    assert.deepEqual(own.asked(), ['example.org 1 udp'])
    assert.deepEqual(await lookUp(neighbour, 'inside', '-type=a'), [Networks['inner']?.IPAddress])
  })

  it('have a port 53 of their own', async () => {
    const id = await on('resolver', { front: {} })
    const { SandboxKey } = await settings(id)
    await using _own = await serveNames('0.0.0.0', { sandbox: SandboxKey })
    assert.match(inSandbox(SandboxKey, 'ss -lnu'), /0\.0\.0\.0:53 /)
    assert.equal((await lookUp(id, 'nameserver', '-type=a')).length, 1)
  })

  it('are answered again after the engine’s death, at the same port', async () => {
    const id = await on('survivor', { front: {}, back: {} })
    const { SandboxKey } = await settings(id)
    const port = () => /127\.0\.0\.11:(\d+)/.exec(inSandbox(SandboxKey, 'ss -lnu'))?.[1]
    const before = port()
    assert.ok(before !== undefined)
    await daemon.stop('SIGKILL')
    assert.doesNotMatch(String(await lookUpFromHost(SandboxKey)), /nameserver/)
    await daemon.start()
    assert.equal(port(), before)
    assert.equal((await lookUp(id, 'nameserver', '-type=a')).length, 1)
  })

  it('keep a resolv.conf that a client has written', async () => {
    const id = await on('legacy', { bridge: {} })
    const path = ((await daemon.api('GET', `/containers/${id}/json`)).body as { ResolvConfPath: string }).ResolvConfPath
    assert.doesNotMatch(readFileSync(path, 'utf8'), /127\.0\.0\.11/)
    await post('/networks/front/connect', { Container: id })
    assert.match(readFileSync(path, 'utf8'), /^nameserver 127\.0\.0\.11\noptions ndots:0$/m)
    assert.equal((await lookUp(id, 'nameserver', '-type=a')).length, 1)
    const changed = await on('changed', { bridge: {} })
    await execIn(connect(daemon.host), changed, ['sh', '-c', 'echo nameserver 10.9.8.7 > /etc/resolv.conf'])
    await post('/networks/front/connect', { Container: changed })
    assert.equal((await execIn(connect(daemon.host), changed, ['cat', '/etc/resolv.conf'])).output, 'nameserver 10.9.8.7\n')
  })
})

/** What busybox says in a sandbox whose nameserver is away. */
async function lookUpFromHost(sandbox: string): Promise<string> {
  try {
    return inSandbox(sandbox, 'timeout 2 busybox nslookup -type=a nameserver 127.0.0.11')
  } catch {
    return 'nobody answers'
  }
}
