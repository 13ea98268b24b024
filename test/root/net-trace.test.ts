import assert from 'node:assert/strict'
import { join } from 'node:path'
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
      assert.match(await end('one', 'two:80'), /^stops filter: rule "iifname \. oifname != @linked-pairs drop" of chain kept-apart, nftables table bridge /)
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

describe('a host with ufw', () => {
  const rules = (family: string): string => join(import.meta.dirname, `../harness/ufw/ipv${family}.rules`)

  it('keeps what it does not allow from the host, and what is published too, and that is told', async () => {
    onHost(`iptables-restore <${rules('4')} && ip6tables-restore <${rules('6')}`)
    try {
      using _ssh = await serveIn(undefined, 22)
      using _other = await serveIn(undefined, 8023)
      assert.equal(await end('outside', '198.51.100.1:22'), 'passes listener: port 22/tcp is served at 0.0.0.0')
      assert.equal(await end('outside', '198.51.100.1:8023'), 'stops filter: the policy of chain INPUT, nftables table ip filter drops it')
      assert.equal(await end('host', '198.51.100.1:8023'), 'passes listener: port 8023/tcp is served at 0.0.0.0')
      await using server = await web()
      using _server = await serveIn(server.sandbox, 80)
      assert.equal(await end('outside', 'web:80'), 'stops filter: the policy of chain FORWARD, nftables table ip filter drops it')
      const created = async (): Promise<string> => {
        const { Id, Warnings } = await test.engine.containers.create({ config: { Image: 'busybox', ExposedPorts: { '80/tcp': {} } }, hostConfig: { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8090' }] } }, endpoints: {} })
        await test.engine.containers.remove(Id, removal)
        return Warnings.join()
      }
      assert.match(await created(), /^port 8090\/tcp is published, but nobody outside reaches it: the policy of chain FORWARD, nftables table ip filter drops/)
      // What `ufw default allow routed` does.
      onHost('iptables -P FORWARD ACCEPT')
      assert.match(await end('outside', 'web:80'), /^passes listener/)
      assert.match(await created(), /^port 8090\/tcp is open to everybody, though the policy of chain INPUT, nftables table ip filter keeps it closed/)
    } finally {
      onHost('nft delete table ip filter; nft delete table ip6 filter')
    }
  })
})

describe('the trace of a way over IPv6', () => {
  const six = { EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fd00:66::/64' }] } }
  const family = (from: string, to: string) => test.engine.networks.trace(from, to, 'tcp', 'ipv6')
  const last = async (from: string, to: string): Promise<string> => {
    const { Steps } = await family(from, to)
    const step = Steps.at(-1)
    return `${step?.Passes ? 'passes' : 'stops'} ${step?.Step}: ${step?.Detail}`
  }

  it('goes by the same steps, to containers, to published ports, and through the relay', async () => {
    onHost('ip -6 address add 2001:db8:51::1/64 dev uplink0 nodad && ip -6 route add default via 2001:db8:51::2')
    const { Id } = await test.engine.networks.create({ Name: 'six', ...six })
    {
      await using server = await container('web', { NetworkMode: 'six', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } }, { ExposedPorts: { '80/tcp': {} } })
      await using client = await container('client', { NetworkMode: 'six' })
      assert.equal(await last('client', 'web:80'), 'stops listener: nothing listens on port 80/tcp')
      using _four = await serveIn(server.sandbox, 80)
      assert.match(await last('client', 'web:80'), /^stops listener: port 80\/tcp is served at 0\.0\.0\.0 only, not at fd00:66::/)
      using _six = await serveIn(server.sandbox, 81, '::')
      assert.equal(await last('client', 'web:81'), 'passes listener: port 81/tcp is served at ::')
      assert.match(await last('host', '[2001:db8:51::1]:8080'), /^stops listener: port 80\/tcp is served at 0\.0\.0\.0 only/)
      assert.match(await last('outside', 'web:81'), /^stops filter: rule "drop" of chain into-/)
      onHost("nft 'add table ip6 own; add chain ip6 own guard { type filter hook forward priority 0; policy accept; }; add rule ip6 own guard ip6 daddr fd00:66::/64 counter drop'")
      assert.match(await last('outside', 'web:80'), /^stops filter: rule "ip6 daddr fd00:66::\/64 counter packets 0 bytes 0 drop" of chain guard, nftables table ip6 own drops it$/)
      onHost('nft delete table ip6 own')
      assert.ok(client.id)
    }
    await test.engine.networks.remove(Id)
    await using web4 = await web()
    using _four = await serveIn(web4.sandbox, 80)
    for (const [from, to] of [['host', '[::1]:8080'], ['outside', 'web:80'], ['host', '[2001:db8:51::1]:8080']] as const) {
      const { Steps, Reaches } = await family(from, to)
      assert.equal(Reaches, true, JSON.stringify(Steps))
      assert.equal(Steps.find(({ Step }) => Step === 'relay')?.Detail, `the container has no IPv6: engined carries it on from this host to ${web4.address}:80`)
    }
    onHost("nft 'add table inet own; add chain inet own in { type filter hook input priority 0; policy accept; }; add rule inet own in meta nfproto ipv6 tcp dport != 22 drop'")
    assert.match(await last('outside', 'web:80'), /^stops filter: rule "meta nfproto ipv6 tcp dport != 22 drop" of chain in, nftables table inet own/)
    onHost('nft delete table inet own; ip -6 route delete default; ip -6 address flush dev uplink0 scope global')
  })
})

describe('the trace of a way by policy routing and between networks', () => {
  it('names the routing rule that refuses it, or that leads it elsewhere', async () => {
    await using client = await container('client')
    assert.match(await end('client', '203.0.113.5:80'), /^passes route: leaves this host by uplink0, for 198\.51\.100\.2; /)
    onHost(`ip rule add priority 100 from ${client.address} to 203.0.113.0/24 prohibit`)
    assert.equal(await end('client', '203.0.113.5:80'), `stops route: routing rule "100: from ${client.address}/32 to 203.0.113.0/24 prohibit" refuses it`)
    onHost(`ip rule delete priority 100 && ip rule add priority 100 from ${client.address} lookup 77 && ip route add blackhole 203.0.113.0/24 table 77`)
    assert.equal(await end('client', '203.0.113.5:80'), `stops route: route "blackhole 203.0.113.0/24" of table 77 refuses it, by routing rule "100: from ${client.address}/32 lookup 77"`)
    onHost('ip route flush table 77 && ip link add other0 type veth peer name other1 && ip address add 192.0.2.1/24 dev other0 && ip link set other0 up && ip link set other1 up && ip route add default via 192.0.2.2 table 77')
    const { Steps } = await test.engine.networks.trace('client', '203.0.113.5:80', 'tcp')
    assert.ok(Steps.some(({ Step, Detail }) => Step === 'route' && Detail === `203.0.113.5 by other0, by routing rule "100: from ${client.address}/32 lookup 77"`), JSON.stringify(Steps))
    assert.match(await end('client', '203.0.113.5:80'), /^passes route: leaves this host by other0, for 192\.0\.2\.2; /)
    onHost('ip rule delete priority 100 && ip link delete other0')
    onHost('echo 0 >/proc/sys/net/ipv4/ip_forward')
    assert.equal(await end('client', '203.0.113.5:80'), 'stops route: the host forwards nothing: net.ipv4.ip_forward or net.ipv6.conf.all.forwarding is off')
    onHost('echo 1 >/proc/sys/net/ipv4/ip_forward')
  })

  it('leads from one network of a user\'s own to another only by a published port', async () => {
    const ids = await Promise.all(['left', 'right'].map(async (Name) => (await test.engine.networks.create({ Name })).Id))
    {
      await using one = await container('one', { NetworkMode: 'left' })
      await using two = await container('two', { NetworkMode: 'right', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8085' }] } }, { ExposedPorts: { '80/tcp': {} } })
      using _server = await serveIn(two.sandbox, 80)
      assert.match(await end('one', 'two:80'), new RegExp(`^stops filter: rule "drop" of chain into-br-${ids[1]?.slice(0, 12)}, nftables table inet `))
      assert.match(await end('one', '198.51.100.1:8085'), /^passes listener/)
      assert.match(await end('one', 'host:8085'), /^passes listener/)
      await test.engine.networks.connect('right', one.id, {})
      assert.match(await end('one', 'two:80'), /^passes listener/)
      const { Steps } = await test.engine.networks.trace('one', 'two:80', 'tcp')
      assert.match(Steps.find(({ Step }) => Step === 'route')?.Detail ?? '', / by eth1, on the link$/)
    }
    for (const id of ids) await test.engine.networks.remove(id)
  })
})
