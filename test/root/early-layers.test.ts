import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, lstatSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { digestHex, GrowingFile } from '@engine/image'
import { until } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { startFakeRegistry, type FakeRegistry } from '../harness/fake-registry.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { imageStores } from '../harness/image-stores.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { digest, makeImage, type Content } from '../harness/registry.ts'

/** Content that gzip cannot make smaller, so that it comes in as many pieces. */
const random = randomBytes(9 << 20)

/** Files below a daemon's directories in which layers are made: by their paths in the layer. */
function making(daemon: TestDaemon): string[] {
  const folder = join(daemon.dataRoot, 'overlay2/.making')
  return readdirSync(folder).flatMap((name) => (existsSync(join(folder, name, 'diff')) ? readdirSync(join(folder, name, 'diff'), { recursive: true }) as string[] : []))
}

const layersOf = (daemon: TestDaemon): string[] => readdirSync(join(daemon.dataRoot, 'overlay2')).filter((name) => /^[0-9a-f]{64}$/.test(name))

describe('a layer of a file that is still written', () => {
  it('is the one of the whole file, compressed or not, however its pieces come', async (t) => {
    const stores = await imageStores(t)
    const image = makeImage([layerTar({ 'd/a': 'first', 'd/random': random, z: 'last' })])
    const tar = layerTar({ 'd/a': 'first', 'd/random': random, z: 'last' })
    for (const [name, bytes] of [['gzip', image.layers[0]?.bytes ?? Buffer.alloc(0)], ['none', tar]] as const) {
      const file = join(stores.directory, name)
      writeFileSync(file, '')
      const growing = new GrowingFile(bytes.length)
      const work = stores.snapshots.unpackLayer({ file, growing })
      for (let at = 0; at < bytes.length; at += 1_000_003) {
        appendFileSync(file, bytes.subarray(at, at + 1_000_003))
        growing.grow(Math.min(at + 1_000_003, bytes.length), false)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      growing.grow(bytes.length, true)
      await using unpacked = await work
      assert.equal(unpacked.extracted.diffId, digest(tar), name)
      assert.deepEqual((await stores.snapshots.list()).layers, [], name)
      const layer = await unpacked.place([], digestHex)
      assert.deepEqual(readFileSync(join(stores.snapshots.layout(layer.id).diff, 'd/random')), random)
      await stores.snapshots.remove(layer.id)
    }
  })

  it('leaves nothing when it is cancelled while it waits, is damaged, or has no place', async (t) => {
    const stores = await imageStores(t)
    const tar = layerTar({ 'd/random': random })
    const file = join(stores.directory, 'file')
    writeFileSync(file, tar)
    const cancel = new AbortController()
    const growing = new GrowingFile(tar.length)
    const waiting = stores.snapshots.unpackLayer({ file, growing }, cancel.signal)
    growing.grow(2 << 20, false)
    setTimeout(() => cancel.abort(), 30)
    await assert.rejects(waiting, { code: 'cancelled' })
    const cut = new GrowingFile(tar.length)
    cut.grow(2 << 20, true)
    await assert.rejects(stores.snapshots.unpackLayer({ file, growing: cut }), { code: 'invalid-argument', message: 'unexpected EOF' })
    {
      await using unpacked = await stores.snapshots.unpackLayer({ file })
      await assert.rejects(unpacked.place([], () => {
        throw new Error('another diff ID')
      }), /another diff ID/)
    }
    await stores.snapshots.settled()
    assert.deepEqual(await stores.snapshots.list(), { layers: [], others: [] })
    for (const folder of ['.making', '.trash', 'l']) assert.deepEqual(readdirSync(join(stores.snapshots.root, folder)), [], folder)
  })
})

describe('a layer that comes slowly', () => {
  let daemon: TestDaemon
  let registry: FakeRegistry
  /** Answers that were begun and wait for the test. */
  const held: { readonly response: ServerResponse; readonly rest: Buffer }[] = []
  /** The blob whose answers are held, from the middle on; and what is in its place. */
  let slow: { readonly digest: string; readonly bytes: Buffer } | undefined

  before(async () => {
    daemon = await startDaemon()
    registry = await startFakeRegistry((request, response) => {
      if (slow === undefined || request.method !== 'GET' || !request.url?.endsWith(slow.digest) || request.headers.range !== undefined) return false
      const half = 6 << 20
      response.writeHead(200, { 'content-length': slow.bytes.length, 'content-type': 'application/octet-stream' })
      response.write(slow.bytes.subarray(0, half))
      held.push({ response, rest: slow.bytes.subarray(half) })
      return true
    })
  })
  after(async () => {
    await daemon?.[Symbol.asyncDispose]()
    await registry?.[Symbol.asyncDispose]()
  })

  const pull = (name: string) => daemon.api('POST', `/images/create?fromImage=${registry.host}/${name}&tag=1`)

  async function hold(blob: Content, bytes = blob.bytes): Promise<void> {
    held.length = 0
    slow = { digest: blob.digest, bytes }
  }

  /** Lets what waits come. */
  function release(): void {
    slow = undefined
    for (const { response, rest } of held.splice(0)) response.end(rest)
  }

  it('is unpacked while it comes, and is there for nobody until it is verified', async () => {
    const image = makeImage([layerTar({ below: 'x' }), layerTar({ 'early/first': 'first', 'early/random': random, 'early/last': 'last' })])
    registry.put('slow', '1', image)
    await hold(image.layers[1] as Content)
    const pulling = pull('slow')
    await until('its first file is there', () => making(daemon).includes('early/first'))
    assert.ok(!making(daemon).includes('early/last'))
    assert.ok(layersOf(daemon).length <= 1)
    assert.deepEqual((await daemon.api('GET', '/images/json')).body, [])
    release()
    assert.match((await pulling).text, /Download complete[^]*Extracting[^]*Pull complete[^]*Downloaded newer image/)
    const [inspected] = [(await daemon.api('GET', `/images/${registry.host}/slow:1/json`)).body as { RootFS: { Layers: string[] }; GraphDriver: { Data: { UpperDir: string } } }]
    assert.deepEqual(readFileSync(join(inspected.GraphDriver.Data.UpperDir, 'early/random')), random)
    assert.equal(lstatSync(join(inspected.GraphDriver.Data.UpperDir, 'early/last')).size, 4)
    assert.deepEqual(making(daemon), [])
    assert.equal((await daemon.api('DELETE', `/images/${registry.host}/slow:1`)).status, 200)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('goes with all that was made of it when its bytes are wrong at the end', async () => {
    const image = makeImage([layerTar({ 'early/first': 'first', 'early/random': random })])
    const blob = image.layers[0] as Content
    registry.put('wrong', '1', image)
    const wrong = Buffer.from(blob.bytes)
    wrong.writeUInt8((wrong.at(-1) ?? 0) ^ 1, wrong.length - 1)
    await hold(blob, wrong)
    const pulling = pull('wrong')
    await until('its first file is there', () => making(daemon).includes('early/first'))
    release()
    assert.match((await pulling).text, new RegExp(`filesystem layer verification failed for digest ${blob.digest}`))
    await until('nothing is being made', () => making(daemon).length === 0)
    assert.deepEqual([layersOf(daemon), readdirSync(join(daemon.dataRoot, 'content/partial'))], [[], []])
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('goes with its connection, and the next pull fetches the rest', async () => {
    const image = makeImage([layerTar({ 'early/first': 'first', 'early/random': random })])
    registry.put('cut', '1', image)
    await hold(image.layers[0] as Content)
    const pulling = httpRequest({ socketPath: daemon.socket, method: 'POST', path: `/images/create?fromImage=${registry.host}/cut&tag=1` })
    pulling.on('error', () => undefined)
    pulling.on('response', (response) => response.resume().on('error', () => undefined))
    pulling.end()
    await until('its first file is there', () => making(daemon).includes('early/first'))
    pulling.destroy()
    await until('nothing is being made', () => making(daemon).length === 0)
    for (const { response } of held.splice(0)) response.destroy()
    slow = undefined
    registry.seen.length = 0
    assert.match((await pull('cut')).text, /Downloaded newer image/)
    assert.match(registry.seen.find(({ path }) => path.includes('/blobs/') && path.endsWith(image.layers[0]?.digest ?? ''))?.headers.range ?? '', /^bytes=[1-9]/)
    assert.equal((await daemon.api('DELETE', `/images/${registry.host}/cut:1`)).status, 200)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })
})
