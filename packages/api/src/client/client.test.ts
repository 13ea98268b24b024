import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { ApiError } from './api-error.ts'
import { connect, type Client } from './client.ts'
import { parseHost } from './dial.ts'
import { queryString } from './request.ts'
import { splitJson } from './stream.ts'

interface Served extends AsyncDisposable {
  readonly client: Client
}

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void, upgrade?: (request: IncomingMessage, socket: Socket) => void): Promise<Served> {
  const directory = mkdtempSync(join(tmpdir(), 'engine-client-'))
  const path = join(directory, 'sock')
  const server = createServer(handle)
  if (upgrade !== undefined) server.on('upgrade', (request, socket) => upgrade(request, socket as Socket))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    client: connect(`unix://${path}`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true })
    },
  }
}

const echo = (request: IncomingMessage, response: ServerResponse): void => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ method: request.method, url: request.url, type: request.headers['content-type'], body: Buffer.concat(chunks).toString() }))
  })
}

describe('request', () => {
  it('sends method, versioned path, query and body', async () => {
    await using served = await serve(echo)
    const { status, body } = await served.client.request('POST', '/containers/create', { query: { name: 'a b', x: undefined }, body: { Image: 'i' } })
    assert.equal(status, 200)
    assert.deepEqual(body, { method: 'POST', url: '/v1.51/containers/create?name=a+b', type: 'application/json', body: '{"Image":"i"}' })
  })

  it('sends streams and bytes as they are', async () => {
    await using served = await serve(echo)
    for (const body of [Buffer.from('tar'), Readable.from([Buffer.from('t'), Buffer.from('ar')])]) {
      const answer = await served.client.request<{ type: string; body: string }>('PUT', '/x', { body })
      assert.deepEqual([answer.body.type, answer.body.body], ['application/x-tar', 'tar'])
    }
  })

  it('says what the daemon said', async () => {
    await using served = await serve((_request, response) => response.writeHead(409).end('{"message":"Conflict. x","hint":"y"}'))
    await assert.rejects(served.client.request('GET', '/x'), (error) => error instanceof ApiError && error.status === 409 && error.message === 'Conflict. x' && error.hint === 'y')
    await using plain = await serve((_request, response) => response.writeHead(502).end('bad gateway\n'))
    await assert.rejects(plain.client.request('GET', '/x'), { status: 502, message: 'bad gateway' })
  })

  it('tells a daemon that is not there from one that breaks off', async () => {
    await assert.rejects(connect('unix:///nowhere/sock').request('GET', '/x'), { status: 0, code: 'ENOENT', message: /Cannot connect to the engine daemon at unix:\/\/\/nowhere\/sock/ })
    await using served = await serve((request) => request.socket.destroy())
    await assert.rejects(served.client.request('GET', '/x'), { status: 0, code: 'ECONNRESET' })
    await using halfway = await serve((request, response) => {
      response.writeHead(200, { 'Content-Length': 10 }).write('half')
      setTimeout(() => request.socket.destroy(), 20)
    })
    await assert.rejects(halfway.client.request('GET', '/x'), { status: 0 })
  })

  it('can be cancelled', async () => {
    await using served = await serve(() => undefined)
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 20)
    await assert.rejects(served.client.request('GET', '/x', { signal: abort.signal }), { status: 0, code: 'ABORT_ERR' })
  })

  it('gets the answer of a daemon that does not read the whole body', async () => {
    await using served = await serve((_request, response) => response.writeHead(400, { Connection: 'close' }).end('{"message":"no"}'))
    async function* endless(): AsyncIterable<Buffer> {
      for (let count = 0; count < 1000; count++) yield Buffer.alloc(1 << 16)
    }
    await assert.rejects(served.client.request('POST', '/build', { body: Readable.from(endless()) }), { status: 400, message: 'no' })
  })
})

describe('stream', () => {
  it('gives values as they come, whatever the packets', async () => {
    await using served = await serve((_request, response) => {
      response.write('{"a":1}\r\n{"b"')
      setTimeout(() => response.end(':"ü"}\n\n{"c":3}'), 20)
    })
    const values: unknown[] = []
    for await (const value of (await served.client.stream('GET', '/events')).lines()) values.push(value)
    assert.deepEqual(values, [{ a: 1 }, { b: 'ü' }, { c: 3 }])
  })

  it('cuts letters of several bytes without harm', async () => {
    const bytes = Buffer.from('{"ü":"€😀"}\n')
    async function* single(): AsyncIterable<Buffer> {
      for (const byte of bytes) yield Buffer.from([byte])
    }
    const values: unknown[] = []
    for await (const value of splitJson(single())) values.push(value)
    assert.deepEqual(values, [{ ü: '€😀' }])
  })

  it('fails when the connection breaks', async () => {
    await using served = await serve((request, response) => {
      response.write('{"a":1}\n')
      setTimeout(() => request.socket.destroy(), 20)
    })
    const lines = (await served.client.stream('GET', '/events')).lines()[Symbol.asyncIterator]()
    assert.deepEqual((await lines.next()).value, { a: 1 })
    await assert.rejects(lines.next(), { status: 0 })
  })
})

describe('hijack', () => {
  it('takes the connection, with what came early and half-close', async () => {
    await using served = await serve(echo, (request, socket) => {
      assert.equal(request.headers.upgrade, 'tcp')
      socket.write('HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly')
      socket.on('data', (chunk: Buffer) => socket.write(chunk))
      socket.on('end', () => socket.end('bye'))
    })
    const { socket, head, headers } = await served.client.hijack('POST', '/containers/x/attach')
    const got = [head]
    socket.on('data', (chunk: Buffer) => got.push(chunk))
    socket.end('input')
    await once(socket, 'end')
    assert.equal(Buffer.concat(got).toString(), 'earlyinputbye')
    assert.equal(headers['content-type'], 'application/vnd.docker.raw-stream')
  })

  it('fails with the daemon\'s error', async () => {
    await using served = await serve((_request, response) => response.writeHead(404).end('{"message":"No such container: x"}'), (_request, socket) => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 35\r\n\r\n{"message":"No such container: x"}\n'))
    await assert.rejects(served.client.hijack('POST', '/containers/x/attach'), { status: 404, message: 'No such container: x' })
  })
})

describe('hosts', () => {
  it('are sockets and addresses', () => {
    assert.deepEqual(parseHost('unix:///run/engine.sock'), { kind: 'unix', path: '/run/engine.sock' })
    assert.deepEqual(parseHost('/run/engine.sock'), { kind: 'unix', path: '/run/engine.sock' })
    assert.deepEqual(parseHost('tcp://10.0.0.1:2375'), { kind: 'tcp', host: '10.0.0.1', port: 2375 })
    assert.deepEqual(parseHost('tcp://[::1]'), { kind: 'tcp', host: '::1', port: 2375 })
    for (const host of ['', 'ssh://h', 'unix://relative', 'npipe:////./pipe/x']) assert.throws(() => parseHost(host), ApiError, host)
  })

  it('get queries in order, objects as JSON, lists repeated', () => {
    assert.equal(queryString({ a: true, b: ['1', '2'], c: { label: ['x'] }, d: undefined, e: 5n }), '?a=true&b=1&b=2&c=%7B%22label%22%3A%5B%22x%22%5D%7D&e=5')
    assert.equal(queryString({}), '')
  })
})
