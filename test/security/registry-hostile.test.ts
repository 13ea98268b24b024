import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { startFakeRegistry, type FakeRegistry } from '../harness/fake-registry.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { content, described, makeImage, type Content, type TestImage } from '../harness/registry.ts'

let daemon: TestDaemon
let registry: FakeRegistry
before(async () => {
  registry = await startFakeRegistry()
  daemon = await startDaemon({ 'max-download-attempts': 1 })
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

const index = 'application/vnd.oci.image.index.v1+json'
/** @returns the error, wherever in the answer it stands */
async function failure(of: string, tag = '1'): Promise<string> {
  const { status, text } = await daemon.api('POST', `/images/create?fromImage=${of}&tag=${tag}`)
  const last = JSON.parse(text.trim().split('\r\n').at(-1) ?? '{}') as { error?: string; message?: string }
  const error = last.error ?? last.message
  assert.ok(error !== undefined, `${of} was pulled: ${status} ${text.slice(-500)}`)
  return error
}

/** The image with another manifest. */
function withManifest(image: TestImage, change: (document: Record<string, unknown>) => unknown, mediaType = image.manifest.mediaType): TestImage {
  const document = change(JSON.parse(image.manifest.bytes.toString()) as Record<string, unknown>)
  return { ...image, manifest: content(typeof document === 'string' ? document : JSON.stringify(document), mediaType) }
}

function withLayer(image: TestImage, change: (layer: Content) => Content, claim: (layer: Content) => object = described): TestImage {
  const layers = image.layers.map(change)
  return withManifest({ ...image, layers }, (document) => ({ ...document, layers: image.layers.map((layer) => ({ ...described(layer), ...claim(layer) })) }))
}

describe('images that are none', () => {
  const good = (): TestImage => makeImage([layerTar({ a: randomBytes(200_000), b: 'b' })])
  const cases: Readonly<Record<string, readonly [make: () => TestImage, error: RegExp]>> = {
    'a manifest that is an index too (CVE-2021-41190)': [() => withManifest(good(), (document) => ({ ...document, manifests: [] })), /^invalid manifest: a manifest that has manifests/],
    'an index that is a manifest too': [() => withManifest(good(), (document) => ({ ...document, mediaType: index, manifests: [] }), index), /^invalid manifest: an index that has config/],
    'a document of another type than it was said to be': [() => withManifest(good(), (document) => ({ ...document, mediaType: index })), /^invalid manifest: mediaType in manifest should be/],
    'a page of a web server': [() => withManifest(good(), () => '<html>', 'text/html'), /^invalid manifest: not valid JSON/],
    'a list': [() => withManifest(good(), () => []), /^invalid manifest: not a JSON object/],
    'a manifest of schema 1': [() => withManifest(good(), () => ({ schemaVersion: 1, fsLayers: [] })), /schema 1 support has been removed/],
    'a manifest without end': [() => withManifest(good(), (document) => ({ ...document, annotations: { a: 'x'.repeat(5 << 20) } })), /is larger than 4194304 bytes$/],
    'a digest that is a path (CVE-2024-3727)': [() => withManifest(good(), (document) => ({ ...document, config: { ...document['config'] as object, digest: 'sha256:../../../../etc/passwd' } })), /^invalid manifest: config\.digest: invalid checksum digest format/],
    'a size below zero': [() => withManifest(good(), (document) => ({ ...document, config: { ...document['config'] as object, size: -1 } })), /^invalid manifest: config\.size/],
    'a size that is no number of bytes': [() => withManifest(good(), (document) => ({ ...document, config: { ...document['config'] as object, size: 1e300 } })), /^invalid manifest: config\.size/],
    'a configuration of a terabyte': [() => withManifest(good(), (document) => ({ ...document, config: { ...document['config'] as object, size: 2 ** 40 } })), /^blob sha256:[0-9a-f]{64} is larger than/],
    'an artifact of another kind': [() => withManifest(good(), (document) => ({ ...document, config: { ...document['config'] as object, mediaType: 'application/vnd.cncf.helm.config.v1+json' } })), /^Encountered remote "application\/vnd\.cncf\.helm\.config\.v1\+json"\(unknown\) when fetching/],
    'a layer that is no tar': [() => withManifest(good(), (document) => ({ ...document, layers: [{ ...described(good().layers[0] as Content), mediaType: 'application/octet-stream' }] })), /^unsupported media type of a layer/],
    'fewer layers than the configuration has': [() => withManifest(good(), (document) => ({ ...document, layers: [] })), /^layers from manifest don't match image configuration$/],
    'a configuration that is not what its digest says': [() => { const image = good(); return { ...image, config: { ...image.config, bytes: Buffer.alloc(image.config.size, ' ') } } }, /^image config verification failed for digest/],
    'a configuration that is a manifest too': [() => makeImage([layerTar({ a: 'a' })], 'oci', { layers: [] }), /^invalid image configuration: it is also a manifest$/],
    'a configuration of another system': [() => makeImage([layerTar({ a: 'a' })], 'oci', { os: 'windows' }), /^image operating system "windows" cannot be used on this platform$/],
    'a layer whose bytes are others': [() => withLayer(good(), (layer) => ({ ...layer, bytes: Buffer.alloc(layer.size, 1) })), /^filesystem layer verification failed for digest sha256:/],
    'a layer that is longer than was said': [() => withLayer(good(), (layer) => ({ ...layer, bytes: Buffer.concat([layer.bytes, layer.bytes]) })), /has more than the \d+ bytes that its manifest says$/],
    'a layer that is shorter than was said': [() => withLayer(good(), (layer) => layer, (layer) => ({ size: layer.size + 1 })), /has \d+ bytes instead of the \d+ that its manifest says$/],
    'a layer that unpacks to something else': [() => { const image = good(); return withLayer(makeImage([layerTar({ c: 'c' })]), () => image.layers[0] as Content, () => described(image.layers[0] as Content)) }, /^layers from manifest don't match image configuration$/],
    'a layer that is no tar inside': [() => makeImage([Buffer.from('no tar at all, though it is compressed'.repeat(100))]), /./],
    'a layer that leaves its directory': [() => makeImage([layerTar({ '../../../../../tmp/engine-escaped': 'x' })]), /./],
  }
  for (const [what, [make, error]] of Object.entries(cases)) {
    it(what, async () => {
      const image = make()
      registry.documents.clear()
      registry.put('bad', '1', image)
      const { bytes } = image.manifest
      if (what === 'a layer that leaves its directory') {
        // Taken, as Docker takes it: the name is resolved inside.
        const { text } = await daemon.api('POST', `/images/create?fromImage=${registry.host}/bad&tag=1`)
        assert.ok(!readdirSync('/tmp').includes('engine-escaped'))
        if (text.includes('Downloaded newer')) assert.equal((await daemon.api('DELETE', `/images/${registry.host}/bad:1`)).status, 200)
      } else assert.match(await failure(`${registry.host}/bad`), error, bytes.toString().slice(0, 500))
      assert.deepEqual(await settledDiscrepancies(daemon), [])
      for (const folder of ['sha256', 'partial', 'ingest']) assert.deepEqual(readdirSync(join(daemon.dataRoot, 'content', folder)), [], folder)
    })
  }

  it('a manifest that is not what its digest says', async () => {
    const [image, other] = [good(), good()]
    registry.put('bad', '1', image)
    registry.documents.set(`bad/manifests/${other.manifest.digest}`, image.manifest)
    assert.match(await failure(`${registry.host}/bad`, other.manifest.digest), /^manifest verification failed for digest sha256:/)
  })

  it('an index within an index', async () => {
    const inner = content(JSON.stringify({ schemaVersion: 2, mediaType: index, manifests: [] }), index)
    const outer = content(JSON.stringify({ schemaVersion: 2, mediaType: index, manifests: [{ ...described(inner), platform: { os: 'linux', architecture: 'amd64' } }] }), index)
    registry.documents.set('nested/manifests/1', outer)
    registry.documents.set(`nested/manifests/${outer.digest}`, outer)
    registry.documents.set(`nested/manifests/${inner.digest}`, inner)
    assert.match(await failure(`${registry.host}/nested`), /is an index within an index$/)
  })
})

describe('registries that ask for too much', () => {
  it('a redirect gets no credentials', async () => {
    await using store = await startFakeRegistry()
    const image = makeImage([layerTar({ a: 'a' })])
    await using shop = await startFakeRegistry((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
        return true
      }
      if (request.url?.includes('/blobs/') !== true) return false
      response.writeHead(307, { location: `${store.url}${request.url}` }).end()
      return true
    })
    shop.put('sold', '1', image)
    store.put('sold', '1', image)
    const auth = Buffer.from(JSON.stringify({ username: 'me', password: 'secret' })).toString('base64')
    const answer = await fetchDaemon(`/images/create?fromImage=${shop.host}/sold&tag=1`, { 'X-Registry-Auth': auth })
    assert.match(answer, /Downloaded newer image/)
    assert.ok(shop.seen.some(({ headers }) => headers.authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`))
    assert.ok(store.seen.length >= 2)
    for (const { headers } of store.seen) assert.equal(headers.authorization, undefined)
    assert.doesNotMatch(daemon.log(), /secret|bWU6c2VjcmV0/)
    assert.equal((await daemon.api('DELETE', `/images/${shop.host}/sold:1`)).status, 200)
  })

  it('an upload to another place gets no credentials, and is made only to a web server', async () => {
    let place = (_path: string): string => ''
    const uploads: { readonly method: string | undefined; readonly authorization: string | undefined }[] = []
    await using store = await startFakeRegistry((request, response) => {
      uploads.push({ method: request.method, authorization: request.headers.authorization })
      response.writeHead(201).end()
      return true
    })
    await using shop = await startFakeRegistry((request, response) => {
      if (request.headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      else if (request.method === 'POST') response.writeHead(202, { location: place(request.url ?? '') }).end()
      else if (request.method === 'PUT') response.writeHead(201).end()
      else return false
      return true
    })
    shop.put('from', '1', makeImage([layerTar({ a: 'to push' })]))
    const auth = { 'X-Registry-Auth': Buffer.from(JSON.stringify({ username: 'me', password: 'secret' })).toString('base64') }
    assert.match(await fetchDaemon(`/images/create?fromImage=${shop.host}/from&tag=1`, auth), /Downloaded newer image/)
    assert.equal((await daemon.api('POST', `/images/${shop.host}/from:1/tag?repo=${shop.host}/to&tag=1`)).status, 201)
    shop.documents.clear()
    const push = (): Promise<string> => fetchDaemon(`/images/${shop.host}/to/push?tag=1`, auth)
    place = (path) => `${store.url}${path}1?state=x`
    assert.match(await push(), /"aux":\{"Tag":"1"/)
    assert.equal(uploads.filter(({ method }) => method === 'PUT').length, 2, 'a layer and the configuration')
    assert.deepEqual(uploads.filter(({ authorization }) => authorization !== undefined), [])
    place = () => 'file:///etc/shadow'
    assert.match(await push(), /redirects to file:\/\/: neither http nor https"/)
    place = () => 'http://['
    assert.match(await push(), /names an address that is none: \\"http:\/\/\[\\""/)
    for (const name of ['from', 'to']) assert.equal((await daemon.api('DELETE', `/images/${shop.host}/${name}:1`)).status, 200)
  })

  it('a list of tags that goes on elsewhere is followed as a redirect is', async () => {
    await using listing = await startFakeRegistry((request, response) => {
      if (request.url?.startsWith('/v2/x/tags/list') !== true) return false
      response.writeHead(200, { 'content-type': 'application/json', link: '<file:///etc/passwd>; rel="next"' }).end('{"tags":["1"]}')
      return true
    })
    assert.match(await fetchDaemon(`/images/create?fromImage=${listing.host}/x`, {}), /neither http nor https/)
  })

  it('plain HTTP is spoken to nobody elsewhere, unless it is configured', async (t) => {
    // An address of this machine that is not its loopback is elsewhere, as far as that goes.
    const address = Object.values(networkInterfaces()).flat().find((one) => one?.family === 'IPv4' && !one.internal)?.address
    if (address === undefined) return t.skip('this machine has no address but its loopback')
    let asked = 0
    const server = createServer((request, response) => {
      asked++
      request.resume()
      response.writeHead(401, { 'www-authenticate': 'Basic realm="give me"' }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, address, resolve))
    try {
      const host = `${address}:${(server.address() as AddressInfo).port}`
      const auth = { 'X-Registry-Auth': Buffer.from(JSON.stringify({ username: 'me', password: 'secret' })).toString('base64') }
      const answer = await fetchDaemon(`/images/create?fromImage=${host}/x&tag=1`, auth)
      assert.deepEqual(JSON.parse(answer), { message: `Head "https://${host}/v2/x/manifests/1": http: server gave HTTP response to HTTPS client` })
      assert.equal(asked, 0, 'no request in plain text, and no password')
      await using lax = await startDaemon({ 'insecure-registries': [`${address}/32`] })
      const { status } = await lax.api('POST', `/images/create?fromImage=${host}/x&tag=1`)
      assert.deepEqual([status, asked > 0], [401, true])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('redirects without end, and to what is no web server, are refused', async () => {
    await using loop = await startFakeRegistry((request, response, { url }) => {
      const location = request.url?.includes('file') === true ? 'file:///etc/shadow' : `${url}${request.url ?? ''}x`
      response.writeHead(302, { location }).end()
      return true
    })
    assert.match(await failure(`${loop.host}/loop`), /stopped after 10 redirects$/)
    assert.match(await failure(`${loop.host}/file`), /redirects to file:.*neither http nor https$/)
  })

  it('a challenge without end, or without sense, is given up', async () => {
    let count = 0
    await using asking = await startFakeRegistry((request, response, { url }) => {
      count++
      if (request.url?.startsWith('/token') === true) {
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"t"}')
        return true
      }
      const challenge = request.url?.includes('/odd/') === true ? 'Bearer realm="not a url"' : `Bearer realm="${url}/token",service="s"`
      response.writeHead(401, { 'www-authenticate': challenge }).end()
      return true
    })
    assert.match(await failure(`${asking.host}/never`), /^unauthorized: authentication required$/)
    assert.ok(count < 20, `${count} requests`)
    assert.match(await failure(`${asking.host}/odd`), /^invalid token auth challenge realm: "not a url"$/)
  })

  it("a registry's words go to no terminal as they are", async () => {
    await using rude = await startFakeRegistry((_request, response) => {
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message: `\u001b[2Jgone${'!'.repeat(5000)}` }] }))
      return true
    })
    const text = await failure(`${rude.host}/x`)
    assert.match(text, /^unsupported: {2}?\[2Jgone!/)
    assert.ok(text.length <= 1000)
  })
})

async function fetchDaemon(path: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const { request } = await import('node:http')
  return await new Promise((resolve, reject) => {
    const sent = request({ socketPath: daemon.socket, method: 'POST', path, headers, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve(text))
    })
    sent.on('error', reject)
    sent.end()
  })
}
