import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type BridgeNetwork, createLease, createSandbox, listSandboxes, randomHostInterface, removeSandbox } from '@engine/network'
import { openBridgeHost, type BridgeHost } from '../harness/bridge-host.ts'
import { linkNames, onHost, succeedsIn, until } from '../harness/network-host.ts'

let host: BridgeHost

before(async () => {
  host = await openBridgeHost()
})

after(() => host[Symbol.dispose]())

describe('many endpoints', () => {
  it('leave nothing after 200 cycles', async (t) => {
    await using net = host.network()
    const count = (): { links: number; rules: string } => ({ links: linkNames().length, rules: onHost('nft list ruleset') })
    await cycle(net.bridge)
    await until(() => net.bridge.list().ports.length === 0)
    const before = count()
    const times: number[] = []
    for (let index = 0; index < 200; index++) times.push(await cycle(net.bridge))
    await until(() => net.bridge.list().ports.length === 0)
    assert.deepEqual(count(), before)
    assert.deepEqual(listSandboxes(host.directory).filter((name) => name === 'cycle'), [])
    times.sort((a, b) => a - b)
    t.diagnostic(`sandbox and endpoint: least ${times[0]?.toFixed(2)} ms, median ${times[100]?.toFixed(2)} ms, most ${times.at(-1)?.toFixed(2)} ms`)
  })

  it('are made at once', async (t) => {
    await using net = host.network()
    const start = performance.now()
    const made = await Promise.all(Array.from({ length: 150 }, async (_, index) => {
      const path = join(host.directory, `crowd-${index}`)
      const lease = createLease({ hostInterface: `vethcrowd${index}`, address: `172.17.1.${index + 1}` })
      await createSandbox(path)
      await net.bridge.connect(path, lease)
      return { path, lease }
    }))
    t.diagnostic(`150 in ${(performance.now() - start).toFixed(0)} ms`)
    assert.equal(net.bridge.list().ports.length, 150)
    assert.equal(net.bridge.list().rules.length, 150)
    assert.ok(succeedsIn(made[149]?.path ?? '', 'busybox ping -c 1 -W 5 172.17.1.1'))
    const end = performance.now()
    for (const { path, lease } of made) {
      net.bridge.release(lease)
      removeSandbox(path)
    }
    t.diagnostic(`removed in ${(performance.now() - end).toFixed(0)} ms`)
    await until(() => net.bridge.list().ports.length === 0, 20_000)
    assert.deepEqual(net.bridge.list().rules, [])
  })
})

/** One container's network, made and removed. @returns milliseconds until it was there */
async function cycle(bridge: BridgeNetwork): Promise<number> {
  const path = join(host.directory, 'cycle')
  const start = performance.now()
  const lease = createLease({ hostInterface: randomHostInterface(), address: '172.17.0.2' })
  await createSandbox(path)
  await bridge.connect(path, lease)
  const taken = performance.now() - start
  bridge.release(lease)
  removeSandbox(path)
  return taken
}
