import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { connect as connectClient, type Client } from '@engine/api/client'
import { createContainer, importBusybox, startContainer } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'

/** By Node's own WebSocket, which knows no unix sockets: a few lines lead from a port to the daemon's. */
describe('attach by WebSocket', () => {
  let daemon: TestDaemon
  let client: Client
  let url = ''
  let close: () => void = () => undefined

  before(async () => {
    daemon = await startDaemon()
    client = connectClient(daemon.host)
    await importBusybox(client)
    ;({ url, close } = await proxyTo(daemon.socket))
  })
  after(async () => {
    close()
    await daemon[Symbol.asyncDispose]()
  })

  test('input goes in, output comes raw in binary messages, and the end of the container closes', async () => {
    const id = await startContainer(client, ['sh', '-c', 'read a; echo "got $a"; echo err >&2; read b; exit 3'], {}, { OpenStdin: true })
    const socket = new WebSocket(`${url}/v1.51/containers/${id}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1`)
    socket.binaryType = 'arraybuffer'
    const messages: unknown[] = []
    socket.addEventListener('message', ({ data }) => {
      messages.push(data)
      if (said(messages).includes('err')) socket.send(Buffer.from('\n'))
    })
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve))
    await new Promise((resolve) => socket.addEventListener('open', resolve))
    socket.send('hello\n')
    const { code, wasClean } = await closed
    assert.deepEqual([code, wasClean], [1000, true])
    assert.ok(messages.every((data) => data instanceof ArrayBuffer))
    assert.deepEqual(said(messages).split('\n').toSorted(), ['', 'err', 'got hello'])
    assert.deepEqual((await client.request('POST', `/containers/${id}/wait`)).body, { StatusCode: 3 })
    await client.request('DELETE', `/containers/${id}`)
  })

  test('a client that leaves is let go, and old clients get text', async () => {
    const id = await startContainer(client, ['sh', '-c', 'echo hi; sleep 1000'])
    const socket = new WebSocket(`${url}/v1.27/containers/${id}/attach/ws?logs=1&stream=1&stdout=1`)
    const first = await new Promise<unknown>((resolve) => socket.addEventListener('message', ({ data }) => resolve(data)))
    assert.equal(first, 'hi\n')
    const closed = new Promise((resolve) => socket.addEventListener('close', resolve))
    socket.close()
    await closed
    await client.request('DELETE', `/containers/${id}`, { query: { force: 1 } })
  })

  test('what cannot be attached to is answered in plain HTTP', async () => {
    const id = await createContainer(client, ['true'])
    const get = async (path: string, headers: string): Promise<string> => {
      const socket = connect(daemon.socket)
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`)
      let text = ''
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        text += chunk.toString()
        if (text.includes('}')) break
      }
      socket.destroy()
      return text
    }
    const handshake = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
    assert.match(await get('/containers/nope/attach/ws?stream=1', handshake), /^HTTP\/1.1 404 [^]*No such container: nope/)
    assert.match(await get(`/containers/${id}/attach/ws?stream=1`, ''), /^HTTP\/1.1 400 [^]*not websocket protocol/)
    assert.match(await get(`/containers/${id}/attach/ws?stream=1`, handshake.replace('13', '8')), /^HTTP\/1.1 400 [^]*WebSocket Version/)
    await client.request('DELETE', `/containers/${id}`)
  })
})

function said(messages: readonly unknown[]): string {
  return messages.map((data) => Buffer.from(data as ArrayBuffer).toString()).join('')
}

async function proxyTo(socketPath: string): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer((socket) => {
    const behind = connect(socketPath)
    socket.pipe(behind).pipe(socket)
    socket.on('error', () => behind.destroy())
    behind.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { url: `ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, close: () => server.close() }
}
