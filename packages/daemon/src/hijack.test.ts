import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assertHijack } from './hijack.ts'
import { chunkedBodyEnd } from './hijack-body.ts'
import { chunks } from './testing/fake-engine.ts'
import { eventually, serveFake, Wire } from './testing/sockets.ts'

const upgrade = ['Connection: Upgrade', 'Upgrade: tcp']
const json = (body: string): string[] => ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]
const frame = (text: string): Buffer => Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)])

describe('hijacked connections', () => {
  it('rest on what this Node does', () => assertHijack())

  it('are upgraded when asked for, and half-close is the end of stdin', async () => {
    await using api = await serveFake()
    using wire = new Wire(api.path)
    wire.request('POST /v1.51/containers/x/attach?stream=1&stdin=1&stdout=1', upgrade)
    assert.equal(
      await wire.until('\r\n\r\n'),
      'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
    )
    wire.send('one')
    assert.deepEqual(await wire.bytes(11), frame('one'))
    wire.socket.end('two')
    assert.equal(await wire.rest(), frame('two').toString())
    assert.equal(api.attachments[0]?.stdinEnded, true)
  })

  it('are raw after a 200 when no upgrade is asked for', async () => {
    await using api = await serveFake()
    using wire = new Wire(api.path)
    // Body and input in one packet, as docker-py and dockerode send them.
    wire.request('POST /exec/x/start', json('{"Tty":true}'), '{"Tty":true}input')
    assert.equal(await wire.until('\r\n\r\n'), 'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n')
    assert.equal((await wire.bytes(5)).toString(), 'input')
    wire.socket.end()
    assert.equal(await wire.rest(), '')
  })

  it('say raw-stream to clients before 1.42, and of terminals', async () => {
    await using api = await serveFake()
    using old = new Wire(api.path)
    old.request('POST /v1.41/containers/x/attach?stdout=1&stream=1', upgrade)
    assert.match(await old.until('\r\n\r\n'), /vnd\.docker\.raw-stream/)
    using terminal = new Wire(api.path)
    terminal.request('POST /v1.51/exec/x/start', [...upgrade, ...json('{"Tty":true}')], '{"Tty":true}')
    assert.match(await terminal.until('\r\n\r\n'), /vnd\.docker\.raw-stream/)
  })

  it('read a body that comes in pieces, with a length or in chunks', async () => {
    await using api = await serveFake()
    for (const [headers, pieces] of [
      [json('{"Detach":true}'), ['{"Det', 'ach":t', 'rue}']],
      [['Content-Type: application/json', 'Transfer-Encoding: chunked'], ['5\r\n{"Det\r\n', 'a\r\nach":', 'true}\r\n0\r\n', '\r\n']],
    ] as const) {
      using wire = new Wire(api.path)
      wire.request('POST /exec/x/start', headers)
      for (const piece of pieces) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        wire.send(piece)
      }
      assert.equal((await wire.answer()).status, 200)
      assert.deepEqual(api.asked.at(-1)?.args[1], { detach: true, tty: false, consoleSize: undefined })
    }
  })

  it('answer errors as JSON and keep the connection', async () => {
    await using api = await serveFake()
    using wire = new Wire(api.path)
    wire.request('POST /v1.51/containers/nope/attach?stream=1', upgrade)
    const missing = await wire.answer()
    assert.equal(missing.status, 404)
    assert.equal(missing.body, '{"message":"No such container: nope"}\n')
    wire.request('POST /exec/x/start', json('{'), '{')
    assert.equal((await wire.answer()).body, '{"message":"invalid JSON: unexpected EOF"}\n')
    // Further requests, one of them hijacking, on the same connection.
    wire.request('GET /_ping')
    assert.equal((await wire.answer()).body, 'OK')
    wire.request('POST /exec/x/start', json('{"Detach":true}'), '{"Detach":true}')
    assert.equal((await wire.answer()).status, 200)
    wire.request('POST /containers/x/attach?stream=1&stdout=1', upgrade)
    await wire.until('\r\n\r\n')
    assert.equal(await wire.rest(), frame('hello').toString())
  })

  it('wait their turn behind pipelined requests, and let others come after them', async () => {
    await using api = await serveFake()
    using wire = new Wire(api.path)
    const { promise, resolve } = Promise.withResolvers<void>()
    api.verbs['containers.top'] = async () => {
      await promise
      return { Titles: [], Processes: [] }
    }
    wire.request('GET /containers/x/top').request('GET /_ping').request('POST /exec/x/start', json('{"Detach":true}'), '{"Detach":true}').request('GET /_ping')
    setTimeout(resolve, 30)
    assert.equal((await wire.answer()).body, '{"Titles":[],"Processes":[]}\n')
    assert.equal((await wire.answer()).body, 'OK')
    const detached = await wire.answer()
    assert.deepEqual([detached.status, detached.body], [200, ''])
    assert.equal((await wire.answer()).body, 'OK')
  })

  it('honour Connection: close and refuse bodies that are too large', async () => {
    await using api = await serveFake()
    using closing = new Wire(api.path)
    closing.request('POST /exec/x/start', ['Connection: close', ...json('{"Detach":true}')], '{"Detach":true}')
    assert.match(await closing.rest(), /^HTTP\/1\.1 200 [^]*Connection: close/)
    using large = new Wire(api.path)
    large.request('POST /exec/x/start', ['Content-Type: application/json', 'Content-Length: 9999999'], '{')
    assert.match(await large.rest(), /^HTTP\/1\.1 413 [^]*too large/)
  })

  it('move 20 MB through stdin and back unharmed', async () => {
    await using api = await serveFake()
    using wire = new Wire(api.path)
    wire.request('POST /exec/x/start', [...upgrade, ...json('{"Tty":true}')], '{"Tty":true}')
    await wire.until('\r\n\r\n')
    const block = Buffer.from(Array.from({ length: 1 << 20 }, (_, index) => (index * 31) & 255))
    let received = 0
    let wrong = 0
    wire.socket.removeAllListeners('data')
    wire.socket.on('data', (chunk: Buffer) => {
      for (let index = 0; index < chunk.length; index += 997) if (chunk[index] !== block[(received + index) % block.length]) wrong++
      received += chunk.length
    })
    for (let count = 0; count < 20; count++) if (!wire.socket.write(block)) await new Promise((resolve) => wire.socket.once('drain', resolve))
    wire.socket.end()
    await new Promise((resolve) => wire.socket.once('end', resolve))
    assert.deepEqual([received, wrong], [20 << 20, 0])
  })

  it('detach when the client is gone before the process is there', async () => {
    await using api = await serveFake()
    const { promise, resolve } = Promise.withResolvers<void>()
    let detached = false
    api.verbs['containers.attach'] = async () => {
      await promise
      return { tty: true, output: chunks([]), detach: () => void (detached = true) }
    }
    using wire = new Wire(api.path)
    wire.request('POST /containers/x/attach?stream=1&stdout=1', upgrade)
    await eventually(() => api.asked.length > 0)
    wire.socket.destroy()
    await new Promise((done) => setTimeout(done, 50))
    resolve()
    await eventually(() => detached)
    assert.deepEqual(api.logged, [])
  })

  it('detach when the client is gone', async () => {
    await using api = await serveFake()
    using wire = new Wire(api.path)
    wire.request('POST /containers/x/attach?stream=1&stdin=1&stdout=1', upgrade)
    await wire.until('\r\n\r\n')
    wire.socket.destroy()
    const attachment = api.attachments[0]
    assert.ok(attachment)
    // Its half of the connection has ended, which ends stdin, upon which the process ends.
    await eventually(() => attachment.stdinEnded && attachment.detached)
  })
})

describe('other upgrades', () => {
  it('are ignored', async () => {
    await using api = await serveFake()
    using wire = new Wire(api.path)
    wire.request('GET /_ping', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'])
    assert.equal((await wire.answer()).body, 'OK')
    wire.request('POST /session', ['Connection: Upgrade', 'Upgrade: h2c'])
    assert.equal((await wire.answer()).status, 501)
    wire.request('GET /_ping')
    assert.equal((await wire.answer()).body, 'OK')
  })
})

describe('chunkedBodyEnd', () => {
  it('finds the end, with extensions and trailers', () => {
    const found = chunkedBodyEnd(Buffer.from('3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\nrest'))
    assert.deepEqual(found && [found.body.toString(), found.at], ['abcde', 30])
    assert.equal(chunkedBodyEnd(Buffer.from('3\r\nabc\r\n0\r\n')), undefined)
    assert.throws(() => chunkedBodyEnd(Buffer.from('x\r\n')))
    assert.throws(() => chunkedBodyEnd(Buffer.from('1\r\nabcd')))
  })
})
