import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { startFakeRegistry, type FakeRegistry } from '../harness/fake-registry.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { busyboxTar } from '../harness/images.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { content, described, makeImage } from '../harness/registry.ts'

const hostArchitecture = process.arch === 'x64' ? 'amd64' : process.arch

let daemon: TestDaemon
before(async () => {
  daemon = await startDaemon()
})
after(() => daemon?.[Symbol.asyncDispose]())

const pull = async (of: string): Promise<{ readonly text: string; readonly error: string | undefined }> => {
  const { text } = await daemon.api('POST', `/images/create?fromImage=${of}&tag=1`)
  const { error, message } = JSON.parse(text.trim().split('\r\n').at(-1) ?? '{}') as { error?: string; message?: string }
  return { text, error: error ?? message }
}
const remove = async (name: string): Promise<void> => assert.equal((await daemon.api('DELETE', `/images/${name}?force=1`)).status, 200)

const deferred = (): PromiseWithResolvers<void> => Promise.withResolvers<void>()

type Refusal = (request: IncomingMessage, response: ServerResponse) => void
/** A registry that has an image and refuses the first requests of a kind. */
async function refusing(kind: RegExp, times: number, refusal: Refusal): Promise<FakeRegistry & { refused(): number }> {
  let refused = 0
  const registry = await startFakeRegistry((request, response) => {
    if (refused >= times || !kind.test(`${request.method ?? ''} ${request.url ?? ''}`)) return false
    refused++
    refusal(request, response)
    return true
  })
  registry.put('x', '1', makeImage([layerTar({ a: randomBytes(100) })]))
  return Object.assign(registry, { refused: () => refused })
}
const busy = (after: string): Refusal => (_request, response) => void response.writeHead(429, { 'retry-after': after, 'content-type': 'application/json' }).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}')
const cut: Refusal = (request) => void request.socket.destroy()
const cutWithin: Refusal = (request, response) => {
  response.writeHead(200, { 'content-length': 1000, 'content-type': 'application/json' })
  response.write('{', () => request.socket.destroy())
}

describe('a registry that', () => {
  const served: Readonly<Record<string, readonly [kind: RegExp, times: number, refusal: Refusal]>> = {
    'asks to come back for a manifest': [/ \/v2\/x\/manifests\//, 2, busy('1')],
    'asks to come back for a manifest at a time of day': [/^GET \/v2\/x\/manifests\//, 1, (request, response) => busy(new Date(Date.now() + 1500).toUTCString())(request, response)],
    'asks to come back for a blob': [/\/blobs\//, 2, busy('1')],
    'closes a connection when it is asked for a manifest': [/^GET \/v2\/x\/manifests\//, 1, cut],
    'closes a connection when it is asked what there is': [/^HEAD /, 1, cut],
    'breaks off within a manifest': [/^GET \/v2\/x\/manifests\//, 1, cutWithin],
    'breaks off within a configuration': [/\/blobs\//, 1, cutWithin],
  }
  for (const [what, [kind, times, refusal]] of Object.entries(served)) {
    it(`${what} is asked again`, async () => {
      await using registry = await refusing(kind, times, refusal)
      const { text } = await pull(`${registry.host}/x`)
      assert.match(text, /Downloaded newer image/)
      assert.equal(registry.refused(), times)
      await remove(`${registry.host}/x:1`)
    })
  }

  const page = (status: number, type = 'text/html'): Refusal => (_request, response) => void response.writeHead(status, { 'content-type': type }).end('<html>proxy\u001b[2J</html>')
  const believed: Readonly<Record<string, readonly [refusal: Refusal, error: (host: string) => string]>> = {
    'wants to be asked for a manifest in half a minute': [busy('30'), () => 'toomanyrequests: slow down'],
    'wants to be asked in an hour': [busy('3600'), () => 'toomanyrequests: slow down'],
    'says neither when nor why it is busy': [page(429), () => 'toomanyrequests: <html>proxy [2J</html>'],
    'fails': [page(500), () => 'received unexpected HTTP status: 500 Internal Server Error'],
    'has a web server in front of it that knows nothing': [page(404), () => 'unknown: <html>proxy [2J</html>'],
    'has a proxy in front of it that lets nobody through': [page(403), (host) => `pull access denied for ${host}/x, repository does not exist or may require 'docker login': denied: <html>proxy [2J</html>`],
  }
  for (const [what, [refusal, error]] of Object.entries(believed)) {
    it(`${what} is believed at once, in Docker's words`, async () => {
      await using registry = await refusing(/\/manifests\//, Number.POSITIVE_INFINITY, refusal)
      assert.equal((await pull(`${registry.host}/x`)).error, error(registry.host))
      assert.equal(registry.seen.length, 2 + Number(registry.seen.some(({ path }) => path === '/v2/')), 'HEAD and GET, once')
    })
  }

  it('lacks a blob of its own image is told so in the words of Docker', async () => {
    await using registry = await startFakeRegistry((request, response) => {
      if (request.method !== 'GET' || request.url?.includes(`/blobs/${image.layers[0]?.digest}`) !== true) return false
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}')
      return true
    })
    const image = makeImage([layerTar({ a: randomBytes(100) })])
    registry.put('x', '1', image)
    assert.equal((await pull(`${registry.host}/x`)).error, 'unknown blob')
  })
})

describe('a blob whose connection broke', () => {
  type Rest = (response: ServerResponse, bytes: Buffer, start: number) => void
  const rests: Readonly<Record<string, Rest>> = {
    'a registry that sends the rest': (response, bytes, start) => void response.writeHead(206, { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }).end(bytes.subarray(start)),
    'a registry that knows no ranges, and sends all of it': (response, bytes) => void response.writeHead(200).end(bytes),
    'a registry that sends another part than it was asked for': (response, bytes) => void response.writeHead(206, { 'content-range': `bytes 0-${bytes.length - 1}/${bytes.length}` }).end(bytes),
    'a registry that does not say which part it sends': (response, bytes, start) => void response.writeHead(206).end(bytes.subarray(start)),
    'a registry that finds the rest out of range': (response) => void response.writeHead(416).end(),
    'a registry that sends other bytes': (response, bytes, start) => void response.writeHead(206, { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }).end(Buffer.alloc(bytes.length - start)),
  }
  for (const [what, rest] of Object.entries(rests)) {
    it(`is asked for where it broke off, from ${what}`, async () => {
      const image = makeImage([layerTar({ a: randomBytes(300_000) })])
      const { bytes, digest } = image.layers[0] ?? { bytes: Buffer.alloc(0), digest: '' }
      const ranges: (string | undefined)[] = []
      await using registry = await startFakeRegistry((request, response) => {
        if (request.url?.endsWith(digest) !== true) return false
        ranges.push(request.headers.range)
        if (ranges.length > 2) return false
        if (ranges.length === 2) rest(response, bytes, Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? Number.NaN))
        else response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 150_000), () => setTimeout(() => request.socket.destroy(), 100))
        return true
      })
      registry.put('x', '1', image)
      const { text, error } = await pull(`${registry.host}/x`)
      assert.match(ranges[1] ?? '', /^bytes=[1-9]\d*-$/)
      if (what.endsWith('other bytes')) {
        // All of it came from this pull: it is the registry that is wrong, and nothing of it is kept.
        assert.match(error ?? '', /^filesystem layer verification failed for digest sha256:/)
      } else {
        assert.match(text, /Downloaded newer image/)
        await remove(`${registry.host}/x:1`)
      }
      for (const folder of ['sha256', 'partial']) assert.deepEqual(readdirSync(join(daemon.dataRoot, 'content', folder)), [], folder)
    })
  }
})

describe('a token', () => {
  it('that is withdrawn within a pull is fetched anew', async () => {
    let tokens = 0
    await using service = await startFakeRegistry((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"token":"t${++tokens}"}`)
      return true
    })
    await using registry = await startFakeRegistry((request, response) => {
      const wanted = request.url?.includes('/blobs/') === true ? /^Bearer t[2-9]$/ : /^Bearer t\d$/
      if (wanted.test(request.headers.authorization ?? '')) return false
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${service.url}/token",service="s",error="invalid_token"` }).end()
      return true
    })
    registry.put('x', '1', makeImage([layerTar({ a: 'a' }), layerTar({ b: 'b' })]))
    assert.match((await pull(`${registry.host}/x`)).text, /Downloaded newer image/)
    assert.ok(tokens >= 2 && tokens <= 4, `${tokens} tokens`)
    await remove(`${registry.host}/x:1`)
  })
})

describe('images that are removed while another is pulled', () => {
  it('leave it the layers that it has in common with them', async () => {
    const base = busyboxTar()
    const [first, second] = [makeImage([base, layerTar({ first: 'x' })]), makeImage([base, layerTar({ second: 'y' })])]
    const released = deferred()
    const asked = deferred()
    await using registry = await startFakeRegistry((request, response) => {
      if (request.url?.endsWith(second.layers[1]?.digest ?? 'none') !== true) return false
      asked.resolve()
      const { bytes, size } = second.layers[1] ?? { bytes: Buffer.alloc(0), size: 0 }
      void released.promise.then(() => response.writeHead(200, { 'content-length': size }).end(bytes))
      return true
    })
    registry.put('first', '1', first)
    registry.put('second', '1', second)
    assert.match((await pull(`${registry.host}/first`)).text, /Downloaded newer image/)
    const pulling = pull(`${registry.host}/second`)
    await asked.promise
    await remove(`${registry.host}/first:1`)
    released.resolve()
    assert.match((await pulling).text, /Already exists[\s\S]*Downloaded newer image/)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    const made = await daemon.api('POST', '/containers/create', { Image: `${registry.host}/second:1`, Cmd: ['/bin/busybox', 'cat', '/second'], HostConfig: { NetworkMode: 'none' } })
    const { Id } = made.body as { Id: string }
    assert.equal((await daemon.api('POST', `/containers/${Id}/start`)).status, 204)
    assert.deepEqual((await daemon.api('POST', `/containers/${Id}/wait`)).body, { StatusCode: 0 })
    assert.equal((await daemon.api('DELETE', `/containers/${Id}`)).status, 204)
    await remove(`${registry.host}/second:1`)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('leave it itself, when it is the one that is removed', async () => {
    const image = makeImage([layerTar({ a: randomBytes(100) })])
    const attestation = makeImage([layerTar({ statement: 'x' })])
    const index = content(JSON.stringify({ schemaVersion: 2, manifests: [
      { ...described(image.manifest), platform: { os: 'linux', architecture: hostArchitecture } },
      { ...described(attestation.manifest), platform: { os: 'unknown', architecture: 'unknown' }, annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': image.manifest.digest } },
    ] }), 'application/vnd.oci.image.index.v1+json')
    let hold = false
    const [asked, released] = [deferred(), deferred()]
    // What comes last of an image that is here.
    await using registry = await startFakeRegistry((request, response) => {
      if (!hold || request.url?.endsWith(attestation.manifest.digest) !== true) return false
      asked.resolve()
      const { bytes, mediaType } = attestation.manifest
      void released.promise.then(() => response.writeHead(200, { 'content-type': mediaType }).end(bytes))
      return true
    })
    registry.put('x', 'image', image)
    registry.put('x', 'attestation', attestation)
    for (const reference of ['1', '2', index.digest]) registry.documents.set(`x/manifests/${reference}`, index)
    assert.match((await pull(`${registry.host}/x`)).text, /Downloaded newer image/)
    hold = true
    const again = daemon.api('POST', `/images/create?fromImage=${registry.host}/x&tag=2`)
    await asked.promise
    await remove(image.config.digest)
    released.resolve()
    assert.match((await again).text, /Digest: /)
    assert.equal((await daemon.api('GET', `/images/${registry.host}/x:2/json`)).status, 200)
    await remove(`${registry.host}/x:2`)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })
})
