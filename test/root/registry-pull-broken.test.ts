import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCuttingProxy } from '../harness/fake-registry.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { Pulls } from '../harness/pulls.ts'
import { makeImage, putImage, startRegistry, type TestRegistry } from '../harness/registry.ts'

let daemon: TestDaemon
let registry: TestRegistry
let pulls: Pulls
before(async () => {
  registry = await startRegistry()
  daemon = await startDaemon()
  pulls = new Pulls(daemon)
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

describe('a pull that is broken off', () => {
  const image = makeImage([layerTar({ one: randomBytes(6 << 20) }), layerTar({ two: randomBytes(3 << 20) })])
  const bytes = image.layers.reduce((total, { size }) => total + size, 0)
  before(() => putImage(registry.url, 'big', '1', image))

  it('goes on where the connection was cut', async () => {
    await using proxy = await startCuttingProxy(registry.port)
    // The first is the attempt to speak TLS, the second fetches the manifest.
    proxy.cuts.push(1e9, 1e9, 2 << 20, 1 << 20, 3 << 20)
    const pulled = await pulls.pull(`${proxy.host}/big`, '1')
    assert.equal(pulled.lines.at(-1)?.status, `Status: Downloaded newer image for ${proxy.host}/big:1`, pulled.text.slice(-2000))
    assert.ok(pulled.lines.some(({ status }) => status?.startsWith('Retrying in ')))
    assert.ok(proxy.received() < bytes + (2 << 20), `${proxy.received()} bytes came instead of ${bytes}`)
    await pulls.remove(`${proxy.host}/big:1`)
    assert.deepEqual([pulls.names('sha256'), pulls.names('partial')], [[], []])
  })

  it('goes on where a killed daemon had come to, and its start is clean', async () => {
    await using proxy = await startCuttingProxy(registry.port)
    proxy.rate = 4 << 20
    const first = pulls.pull(`${proxy.host}/big`, '1').catch(() => undefined)
    const partial = (): number => pulls.names('partial').reduce((total, name) => total + statSync(join(daemon.dataRoot, 'content/partial', name)).size, 0)
    while (partial() < 3 << 20) await sleep(20)
    await daemon.stop('SIGKILL')
    await first
    await daemon.start()
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    const [before, had] = [proxy.received(), partial()]
    assert.ok(had >= 3 << 20)
    proxy.rate = undefined
    const pulled = await pulls.pull(`${proxy.host}/big`, '1')
    assert.equal(pulled.lines.at(-1)?.status, `Status: Downloaded newer image for ${proxy.host}/big:1`, pulled.text.slice(-2000))
    assert.ok(proxy.received() - before < bytes - had + 50_000, `${proxy.received() - before} bytes came, ${bytes - had} were missing`)
    await pulls.remove(`${proxy.host}/big:1`)
    assert.deepEqual([pulls.names('sha256'), pulls.names('partial')], [[], []])
  })

  it('ends when its client goes away, and is one when two clients want the same', async () => {
    await using proxy = await startCuttingProxy(registry.port)
    proxy.rate = 2 << 20
    const [one, two] = [pulls.begin(`${proxy.host}/big`), pulls.begin(`${proxy.host}/big`)]
    while (proxy.received() < 1 << 20) await sleep(20)
    one.stop()
    const text = await two.ended
    assert.match(text, /Status: Downloaded newer image/)
    assert.ok(proxy.received() < bytes + (1 << 20), `${proxy.received()} bytes came instead of ${bytes}`)
    await pulls.remove(`${proxy.host}/big:1`)

    const three = pulls.begin(`${proxy.host}/big`)
    const before = proxy.received()
    while (proxy.received() < before + (1 << 20)) await sleep(20)
    three.stop()
    await three.ended
    let last = -1
    for (; last !== proxy.received(); await sleep(700)) last = proxy.received()
    assert.ok(last < before + bytes, 'nothing is fetched for nobody')
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    // What came is kept for the next attempt, and goes when it is old.
    assert.ok(pulls.names('partial').length > 0)
    proxy.rate = undefined
    assert.match((await pulls.pull(`${proxy.host}/big`, '1')).text, /Downloaded newer image/)
    await pulls.remove(`${proxy.host}/big:1`)
    assert.deepEqual([pulls.names('sha256'), pulls.names('partial')], [[], []])
  })
})

describe('what a broken-off pull has left', () => {
  const image = makeImage([layerTar({ big: randomBytes(4 << 20) }), layerTar({ small: 'x' })])
  before(() => putImage(registry.url, 'left', '1', image))

  for (const path of ['/images/prune', '/build/prune']) {
    it(`goes with ${path}, but not what a pull is fetching`, async () => {
      await using proxy = await startCuttingProxy(registry.port)
      const partial = (): number => pulls.names('partial').reduce((total, name) => total + (statSync(join(daemon.dataRoot, 'content/partial', name), { throwIfNoEntry: false })?.size ?? 0), 0)
      const prune = async (): Promise<number> => ((await daemon.api('POST', path)).body as { SpaceReclaimed: number }).SpaceReclaimed
      proxy.rate = 2 << 20
      const first = pulls.begin(`${proxy.host}/left`)
      while (partial() < 1 << 20) await sleep(20)
      assert.equal(await prune(), 0)
      proxy.rate = undefined
      assert.match(await first.ended, /Downloaded newer image/)
      await pulls.remove(`${proxy.host}/left:1`)

      proxy.rate = 2 << 20
      const second = pulls.begin(`${proxy.host}/left`)
      while (partial() < 1 << 20) await sleep(20)
      second.stop()
      await second.ended
      let last = -1
      for (; last !== proxy.received(); await sleep(300)) last = proxy.received()
      const had = [...pulls.names('partial').map((name) => join('partial', name)), ...pulls.names('sha256').map((name) => join('sha256', name))].reduce((total, name) => total + statSync(join(daemon.dataRoot, 'content', name)).size, 0)
      const young = await daemon.api('POST', `/images/prune?filters=${encodeURIComponent('{"until":["1h"]}')}`)
      assert.equal((young.body as { SpaceReclaimed: number }).SpaceReclaimed, 0)
      assert.equal(await prune(), had)
      assert.deepEqual([pulls.names('sha256'), pulls.names('partial'), pulls.names('ingest')], [[], [], []])
      assert.deepEqual(await settledDiscrepancies(daemon), [])
    })
  }
})
