import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { ContainerConfig, HostConfig } from '@engine/engine'
import { openTestEngine, removal, type TestEngine } from '../harness/engine.ts'
import { enterPrivateHost, onHost, serveIn } from '../harness/network-host.ts'

let test: TestEngine
const ended: (() => Promise<void>)[] = []

before(async () => {
  await enterPrivateHost()
  onHost('ip link add uplink0 type veth peer name out0 && ip address add 198.51.100.1/24 dev uplink0 && ip link set uplink0 up && ip link set out0 up && ip route add default via 198.51.100.2')
  test = await openTestEngine({ after: (work) => void ended.push(work) })
})

after(async () => {
  for (const work of ended) await work()
})

async function container(name: string, host: HostConfig = {}, config: ContainerConfig = {}) {
  const id = await test.create(['sleep', '1000'], { NetworkMode: 'bridge', ...host }, config, name)
  await test.engine.containers.start(id)
  const { NetworkSettings } = await test.engine.containers.inspect(id, { size: false })
  return { id, address: Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? '', sandbox: NetworkSettings.SandboxKey, [Symbol.asyncDispose]: () => test.engine.containers.remove(id, removal) }
}

const web = (): Promise<Awaited<ReturnType<typeof container>>> =>
  container('web', { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }], '81/tcp': [{ HostIp: '127.0.0.1', HostPort: '8081' }] } }, { ExposedPorts: { '80/tcp': {}, '81/tcp': {} } })

/** The last step of a way: where it ended. */
async function end(from: string, to: string): Promise<string> {
  const { Steps, Reaches } = await test.engine.networks.trace(from, to, 'tcp')
  const last = Steps.at(-1)
  assert.equal(Reaches, last?.Passes)
  return `${last?.Passes ? 'passes' : 'stops'} ${last?.Step}: ${last?.Detail}`
}

describe('the trace of a way', () => {
  it('goes on to the listener', async () => {
    await using server = await web()
    await using client = await container('client')
    assert.equal(await end('client', 'web:80'), 'stops listener: nothing listens on port 80/tcp')
    using _server = await serveIn(server.sandbox, 80)
    for (const [from, to] of [['client', 'web:80'], ['client', `${server.address}:80`], ['host', 'web:80'], ['host', '127.0.0.1:8080'], ['host', '198.51.100.1:8080'], ['client', 'host:8080'], ['outside', 'web:80'], ['outside', '198.51.100.1:8080'], ['web', 'web:80']] as const) {
      assert.equal(await end(from, to), 'passes listener: port 80/tcp is served at 0.0.0.0', `${from} to ${to}`)
    }
    const { Steps } = await test.engine.networks.trace('outside', 'web:80', 'tcp')
    assert.deepEqual(Steps.map(({ Step }) => Step), ['source', 'destination', 'translation', 'filter', 'bridge', 'namespace', 'listener'])
    assert.match(Steps[2]?.Detail ?? '', /^0\.0\.0\.0:8080\/tcp is published by container web: goes on to [0-9.]+:80$/)
    await test.engine.containers.stop(client.id, { timeout: 0 })
    assert.match(await end('client', 'web:80'), /^stops source: container client is not running$/)
  })

  it('names the rule that drops it', async () => {
    await using server = await web()
    using _server = await serveIn(server.sandbox, 80)
    assert.match(await end('outside', `${server.address}:80`), /^stops filter: rule "drop" of chain into-\S+, nftables table inet \S+ drops it$/)
    onHost("nft 'add table inet own; add chain inet own guard { type filter hook forward priority 0; policy accept; }; add rule inet own guard tcp dport { 80, 443 } counter drop'")
    assert.match(await end('outside', 'web:80'), /^stops filter: rule "tcp dport \{ 80, 443 \} counter packets 0 bytes 0 drop" of chain guard, nftables table inet own drops it$/)
    assert.match(await end('host', 'web:80'), /^passes listener/)
    onHost("nft 'delete table inet own; add table inet own; add chain inet own guard { type filter hook forward priority 0; policy drop; }; add rule inet own guard ct state established accept'")
    assert.match(await end('outside', 'web:80'), /^stops filter: the policy of chain guard, nftables table inet own drops it$/)
    onHost('nft delete table inet own')
  })

  it('tells what is wrong on the host and in the namespace', async () => {
    await using server = await web()
    using _server = await serveIn(server.sandbox, 80)
    const link = onHost('ip -o link show type veth').split('\n').map((line) => line.split(': ')[1]?.split('@')[0] ?? '').find((name) => name.startsWith('veth')) ?? ''
    onHost(`ip link set ${link} down`)
    assert.equal(await end('host', 'web:80'), `stops bridge: link ${link} is down`)
    onHost(`ip link set ${link} up`)
    await using alone = await container('alone', { NetworkMode: 'none' })
    assert.match(await end('web', 'alone:80'), /^stops destination: container alone has no address/)
    assert.match(await end('alone', 'web:80'), /^stops route: there is no route to /)
    assert.equal(await end('host', 'host:4444'), 'stops listener: nothing listens on port 4444/tcp')
    await assert.rejects(test.engine.networks.trace('nobody', 'web:80', 'tcp'), { code: 'not-found' })
    assert.ok(alone.id)
  })

  it('sees what keeps networks and containers apart', async () => {
    const { Id } = await test.engine.networks.create({ Name: 'apart', Options: { 'com.docker.network.bridge.enable_icc': 'false' } })
    {
      await using server = await web()
      using _server = await serveIn(server.sandbox, 80)
      await using one = await container('one', { NetworkMode: 'apart' })
      await using two = await container('two', { NetworkMode: 'apart' })
      using _second = await serveIn(two.sandbox, 80)
      assert.match(await end('one', 'two:80'), /^stops filter: rule "iifname @apart oifname @apart drop" of chain forward, nftables table bridge /)
      assert.match(await end('one', 'web:80'), /^stops filter: rule "drop" of chain into-/)
      assert.match(await end('one', 'host:8080'), /^passes listener/)
      assert.ok(one.id)
    }
    await test.engine.networks.remove(Id)
  })
})

describe('a port that the host\'s own firewall knows of', () => {
  it('is published with a word about it', async () => {
    const warnings = async (ip: string): Promise<string[]> => {
      const { Id, Warnings } = await test.engine.containers.create({
        config: { Image: 'busybox', ExposedPorts: { '80/tcp': {} } }, hostConfig: { PortBindings: { '80/tcp': [{ HostIp: ip, HostPort: '8080' }] } }, endpoints: {},
      })
      await test.engine.containers.remove(Id, removal)
      return Warnings
    }
    assert.deepEqual(await warnings(''), [])
    onHost("nft 'add table inet own; add chain inet own in { type filter hook input priority 0; policy drop; }; add rule inet own in tcp dport 22 accept'")
    assert.match((await warnings('')).join(), /^port 8080\/tcp is open to everybody, though the policy of chain in, nftables table inet own keeps it closed/)
    assert.deepEqual(await warnings('127.0.0.1'), [])
    onHost("nft 'add rule inet own in tcp dport 8000-8100 accept'")
    assert.deepEqual(await warnings(''), [])
    onHost("nft 'add chain inet own through { type filter hook forward priority 0; policy accept; }; add rule inet own through iifname uplink0 drop'")
    assert.match((await warnings('')).join(), /^port 8080\/tcp is published, but nobody outside reaches it: rule "iifname "uplink0" drop" of chain through/)
    onHost('nft delete table inet own')
  })
})
