import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, copyFileSync, rmSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { authority, makeCertificate, signedBy } from '../harness/certificates.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { makeImage, putImage, startRegistry, type TestRegistry } from '../harness/registry.ts'

/** What a proxy was asked for. */
interface Asked {
  readonly method: string
  readonly target: string
  readonly authorization: string | undefined
}

let secure: TestRegistry
let plain: TestRegistry
let directory = ''
let daemon: TestDaemon
const asked: Asked[] = []
const sockets = new Set<Socket>()
const image = makeImage([layerTar({ through: 'a proxy' })])

/** Names that only the proxy knows. */
const known = (target: string): number | undefined => ({ 'registry.test:443': secure.port, 'plain.test:80': plain.port })[target]

const proxy = createServer((request, response) => {
  const url = new URL(request.url ?? '')
  asked.push({ method: request.method ?? '', target: request.url ?? '', authorization: request.headers['proxy-authorization'] })
  const port = known(`${url.hostname}:${url.port || '80'}`)
  if (port === undefined) return void response.writeHead(502).end()
  request.pipe(httpRequest({ port, host: '127.0.0.1', method: request.method, path: url.pathname + url.search, headers: { ...request.headers, host: url.host } }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(response)
  }))
})
proxy.on('connect', (request, client: Socket) => {
  asked.push({ method: 'CONNECT', target: request.url ?? '', authorization: request.headers['proxy-authorization'] })
  const port = known(request.url ?? '')
  if (port === undefined) return void client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  const upstream = connect(port, '127.0.0.1', () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    upstream.pipe(client).pipe(upstream)
  })
  for (const socket of [client, upstream]) {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
  }
})

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'engine-proxy-'))
  await makeCertificate(directory, 'authority', authority)
  await makeCertificate(directory, 'registry', signedBy(directory, 'authority', 'DNS:registry.test'))
  mkdirSync(join(directory, 'certs.d/registry.test'), { recursive: true })
  copyFileSync(join(directory, 'authority.crt'), join(directory, 'certs.d/registry.test/ca.crt'))
  plain = await startRegistry()
  await putImage(plain.url, 'image', '1', image)
  secure = await startRegistry({ tls: { certificate: join(directory, 'registry.crt'), key: join(directory, 'registry.key') } })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  daemon = await startDaemon({ 'certs-dirs': [join(directory, 'certs.d')], 'insecure-registries': ['plain.test'] })
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  for (const socket of sockets) socket.destroy()
  proxy.closeAllConnections()
  proxy.close()
  await secure?.[Symbol.asyncDispose]()
  await plain?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const url = (): string => `http://me:pass%20word@127.0.0.1:${(proxy.address() as AddressInfo).port}`
const basic = `Basic ${Buffer.from('me:pass word').toString('base64')}`
const pull = async (name: string): Promise<string> => (await daemon.api('POST', `/images/create?fromImage=${name}&tag=1`)).text

async function restart(environment: Readonly<Record<string, string>>): Promise<void> {
  await daemon.stop()
  await daemon.start(environment)
  asked.length = 0
}

describe('engined behind a proxy', () => {
  it('asks it for plain HTTP, and is let through to HTTPS, whose certificate is checked as ever', async () => {
    await restart({ HTTP_PROXY: url(), HTTPS_PROXY: url(), NO_PROXY: '' })
    assert.match(await pull('plain.test/image'), /Downloaded newer image/)
    assert.ok(asked.some(({ method, target }) => method === 'CONNECT' && target === 'plain.test:443'), 'HTTPS is tried first')
    assert.ok(asked.some(({ method, target }) => method === 'GET' && target.startsWith('http://plain.test/v2/image/blobs/')))
    assert.ok(asked.every(({ authorization }) => authorization === basic))

    asked.length = 0
    assert.equal((await daemon.api('POST', '/images/plain.test/image:1/tag?repo=registry.test/image&tag=1')).status, 201)
    assert.match((await daemon.api('POST', '/images/registry.test/image/push?tag=1')).text, /"aux"/)
    assert.equal((await daemon.api('DELETE', `/images/${image.config.digest}?force=1`)).status, 200)
    assert.match(await pull('registry.test/image'), /Downloaded newer image/)
    assert.deepEqual([...new Set(asked.map(({ method, target }) => `${method} ${target}`))], ['CONNECT registry.test:443'])
    assert.equal((await daemon.api('DELETE', `/images/${image.config.digest}?force=1`)).status, 200)
    rmSync(join(directory, 'certs.d/registry.test'), { recursive: true })
    assert.match(await pull('registry.test/image'), /certificate signed by unknown authority/)
    assert.ok(!daemon.log().includes('pass'), 'its password is nowhere in the log')
    const { HttpProxy } = (await daemon.api('GET', '/info')).body as { HttpProxy: string }
    assert.equal(HttpProxy, url().replace('me:pass%20word', 'xxxxx:xxxxx'))
  })

  it('leaves out what NO_PROXY names, and this machine', async () => {
    await restart({ HTTP_PROXY: url(), HTTPS_PROXY: url(), NO_PROXY: '.test,10.0.0.0/8' })
    assert.match(await pull('registry.test/image'), /dial tcp: lookup registry\.test/)
    assert.match(await pull(`${plain.host}/image`), /Downloaded newer image/)
    assert.deepEqual(asked, [])
    await restart({ HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: '' })
    assert.match(await pull('registry.test/image'), /connection refused/)
  })
})
