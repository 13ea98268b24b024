import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { ApiError, connect, type Client } from './client.ts'
import { bodyDecoder, queryString, readAnswerHead, writeRequestHead } from './wire.ts'

describe('the wire', () => {
  it('writes heads and queries', () => {
    assert.equal(writeRequestHead('GET', '/x', { host: 'engine' }), 'GET /x HTTP/1.1\r\nhost: engine\r\n\r\n')
    assert.equal(queryString({ a: 1, b: undefined, c: ['x', 'y'], d: { k: { 'v w': true } }, e: true }), '?a=1&c=x&c=y&d=%7B%22k%22%3A%7B%22v%20w%22%3Atrue%7D%7D&e=true')
    assert.equal(queryString({}), '')
  })

  it('reads heads', () => {
    const found = readAnswerHead(Buffer.from('HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nX: a: b \r\n\r\nrest'))
    assert.deepEqual(found?.head, { status: 404, headers: { 'content-type': 'application/json', x: 'a: b' } })
    assert.equal(found?.rest.toString(), 'rest')
    assert.equal(readAnswerHead(Buffer.from('HTTP/1.1 200 OK\r\n')), undefined)
    assert.throws(() => readAnswerHead(Buffer.from('SSH-2.0\r\n\r\n')), /not HTTP/)
    assert.throws(() => readAnswerHead(Buffer.alloc(70_000, 'x')), /not HTTP/)
  })

  it('takes chunks apart however they come', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 })), fc.array(fc.nat(200)), (chunks, cuts) => {
      const wire = Buffer.concat([...chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)};x=y\r\n`), Buffer.from(chunk), Buffer.from('\r\n')]), Buffer.from('0\r\nTrailer: x\r\n\r\n')])
      const decoder = bodyDecoder({ status: 200, headers: { 'transfer-encoding': 'chunked' } }, 'GET')
      const out: Buffer[] = []
      let at = 0
      for (const cut of [...cuts, wire.length]) {
        const end = Math.min(wire.length, at + cut)
        out.push(...decoder.push(wire.subarray(at, end)))
        at = end
      }
      assert.deepEqual(Buffer.concat(out), Buffer.concat(chunks))
      assert.ok(decoder.ended)
    }))
  })

  it('knows where bodies end', () => {
    const decoder = bodyDecoder({ status: 200, headers: { 'content-length': '3' } }, 'GET')
    assert.deepEqual([decoder.ended, Buffer.concat(decoder.push(Buffer.from('abcdef'))).toString(), decoder.ended], [false, 'abc', true])
    assert.ok(bodyDecoder({ status: 204, headers: {} }, 'POST').ended)
    assert.ok(bodyDecoder({ status: 200, headers: {} }, 'GET').untilClose)
    assert.throws(() => bodyDecoder({ status: 200, headers: { 'transfer-encoding': 'chunked' } }, 'GET').push(Buffer.from('zz\r\n')), /invalid chunk size/)
  })
})

describe('the client', () => {
  let directory = ''
  let server: Server
  let client: Client
  let connections = 0
  /** Answers one request: gets what was received so far, writes to the socket. */
  let answer: (request: string, socket: Socket) => void = () => undefined

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-cli-'))
    server = createServer({ allowHalfOpen: true }, (socket) => {
      connections++
      socket.on('error', () => undefined)
      socket.on('data', (data) => answer(data.toString('latin1'), socket))
      socket.on('end', () => socket.end())
    })
    await new Promise<void>((resolve) => server.listen(join(directory, 's'), resolve))
    client = connect(`unix://${join(directory, 's')}`)
  })
  after(() => {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const json = (status: number, body: unknown): string => {
    const text = JSON.stringify(body)
    return `HTTP/1.1 ${status} X\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  }

  it('sends and reads JSON, on one connection again and again', async () => {
    const requests: string[] = []
    answer = (request, socket) => {
      requests.push(request)
      socket.write(json(200, { ok: 'ü' }))
    }
    connections = 0
    for (let i = 0; i < 3; i++) assert.deepEqual((await client.request('POST', '/a', { query: { b: 1 }, body: { c: 2 } })).body, { ok: 'ü' })
    assert.equal(connections, 1)
    assert.match(requests[0] ?? '', /^POST \/v1\.51\/a\?b=1 HTTP\/1\.1\r\nhost: engine\r\ncontent-type: application\/json\r\ncontent-length: 7\r\n\r\n\{"c":2\}$/)
  })

  it('reads an answer that comes byte by byte', async () => {
    answer = (_, socket) => {
      const bytes = json(200, [1, 2])
      let at = 0
      const timer = setInterval(() => (at < bytes.length ? socket.write(bytes.charAt(at++)) : clearInterval(timer)), 0)
    }
    assert.deepEqual((await client.request('GET', '/')).body, [1, 2])
  })

  it("turns the daemon's errors into ApiErrors", async () => {
    answer = (_, socket) => void socket.write(json(404, { message: 'No such container: x', hint: 'try y' }))
    await assert.rejects(client.request('GET', '/'), (error) => error instanceof ApiError && error.status === 404 && error.message === 'No such container: x' && error.hint === 'try y')
    await assert.rejects(client.hijack('POST', '/'), { message: 'No such container: x' })
  })

  it('hands a hijacked connection over with what came early', async () => {
    answer = (request, socket) => void socket.write(request.includes('pgrade') ? 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly' : `<${request}>`)
    const { socket, head } = await client.hijack('POST', '/attach')
    assert.equal(head.toString(), 'early')
    const got = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())))
    socket.resume()
    socket.write('in')
    assert.equal(await got, '<in>')
    socket.destroy()
  })

  it('sends a stream in chunks, and stops when the daemon has answered', async () => {
    let received = ''
    answer = (request, socket) => {
      received += request
      if (received.endsWith('0\r\n\r\n')) socket.write(json(200, 'whole'))
    }
    const two = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('abc')
      yield Buffer.from('de')
    }
    assert.equal((await client.request('POST', '/build', { body: two() })).body, 'whole')
    assert.match(received, /transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n$/)
    answer = (_, socket) => void socket.write(json(400, { message: 'no' }))
    const endless = async function* (): AsyncGenerator<Buffer> {
      for (;;) {
        yield Buffer.alloc(65536)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await assert.rejects(client.request('POST', '/build', { body: endless() }), { message: 'no' })
  })

  it('reports why a body could not be read, not that the request broke', async () => {
    answer = () => undefined
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('x')
      throw new Error('file vanished')
    }
    await assert.rejects(client.request('POST', '/build', { body: broken() }), { message: 'file vanished' })
  })

  it('gives lines as they come', async () => {
    answer = (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n{"a":1}\n{"a"')
      setTimeout(() => socket.end(':2}\r\n\n{"a":3}'), 5)
    }
    const seen: unknown[] = []
    for await (const line of (await client.stream('GET', '/events')).lines()) seen.push(line)
    assert.deepEqual(seen, [{ a: 1 }, { a: 2 }, { a: 3 }])
  })

  it('notices a connection that is closed too early', async () => {
    answer = (_, socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
    await assert.rejects(client.request('GET', '/'), /closed before the answer was complete/)
    answer = (_, socket) => void socket.destroy()
    await assert.rejects(client.request('GET', '/'), { name: 'ApiError', status: 0 })
  })

  it('says where there is no daemon', async () => {
    const nobody = connect(`unix://${join(directory, 'nobody')}`)
    nobody.prepare(2)
    await assert.rejects(nobody.request('GET', '/'), { message: `cannot connect to the engine daemon at unix://${join(directory, 'nobody')}: is engined running?`, status: 0 })
    assert.throws(() => connect('ssh://x'), ApiError)
  })
})
