import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { EngineError, setTracer, type SyscallRecord } from '@engine/linux'
import { Routing } from '@engine/linux/netlink'
import { BridgeNetwork, createLease, createSandbox, removeSandbox } from '@engine/network'
import { bridgeSettings, hostAddress, openBridgeHost, outsideAddress, type BridgeHost } from '../harness/bridge-host.ts'
import { askFrom, inSandbox, linkNames, onHost, serveIn, short, succeedsIn } from '../harness/network-host.ts'

let host: BridgeHost

before(async () => {
  host = await openBridgeHost()
})

after(() => host[Symbol.dispose]())

describe('a bridge', () => {
  it('has the gateway address, a MAC of its own, no IPv6, and no way to the host\'s loopback', async () => {
    await using net = host.network()
    assert.deepEqual({ ...net.view, warnings: [] }, { bridge: 'engtest0', subnet: '172.17.0.0/16', range: undefined, gateway: '172.17.0.1', prefix: 16, mtu: 1500, ipv6: undefined, warnings: [] })
    assert.match(onHost('ip -brief address show engtest0'), /^engtest0 +DOWN +172\.17\.0\.1\/16 *\n$/)
    assert.match(onHost('ip -detail link show engtest0'), /link\/ether 02:42:ac:11:00:01 .*bridge /s)
    assert.equal(onHost('cd /proc/sys/net; cat ipv6/conf/engtest0/disable_ipv6 ipv6/conf/engtest0/accept_ra ipv4/conf/engtest0/route_localnet'), '1\n0\n0\n')
    await net.connect('mac')
    assert.match(onHost('ip link show engtest0'), /link\/ether 02:42:ac:11:00:01 /)
  })

  it('is taken over as it is by a daemon that comes later', async () => {
    await using net = host.network()
    const { path, lease } = await net.connect('survivor')
    using later = new BridgeNetwork(bridgeSettings, host.firewall)
    assert.equal(later.ensure().gateway, '172.17.0.1')
    assert.deepEqual(later.list().ports, [lease.hostInterface])
    assert.deepEqual(later.list().rules, [{ hostInterface: lease.hostInterface, mac: lease.mac, addresses: [lease.address] }])
    assert.ok(succeedsIn(path, 'busybox ping -c 1 -W 1 172.17.0.1'))
  })

  it('follows a change of its settings while nobody is on it, and refuses while somebody is', async () => {
    await using net = host.network({ address: '10.87.0.1/24' })
    using moved = new BridgeNetwork({ ...bridgeSettings, address: '10.88.0.1/24', mtu: 1400 }, host.firewall)
    moved.ensure()
    assert.match(onHost('ip address show engtest0'), /mtu 1400 [^]*inet 10\.88\.0\.1\/24 brd 10\.88\.0\.255/)
    assert.doesNotMatch(onHost('ip address show engtest0'), /10\.87/)
    net.bridge.ensure()
    await net.connect('holder')
    assert.throws(() => moved.ensure(), { code: 'conflict' })
  })

  it('takes no link that is something else', () => {
    onHost('ip link add engtest1 type veth peer name engtest2')
    using wrong = new BridgeNetwork({ ...bridgeSettings, bridge: 'engtest1' }, host.firewall)
    assert.throws(() => wrong.ensure(), { code: 'conflict' })
    host.firewall.removeBridge('engtest1')
    onHost('ip link delete engtest1')
  })

  it('chooses a subnet that no route of the host leads to', async () => {
    onHost('ip route add 172.17.128.0/24 via 198.51.100.2 && ip route add 172.18.0.0/15 via 198.51.100.2')
    await using net = host.network()
    assert.equal(net.view.subnet, '172.20.0.0/16')
    onHost('ip route delete 172.17.128.0/24 && ip route delete 172.18.0.0/15')
    assert.equal(net.bridge.ensure().subnet, '172.20.0.0/16')
  })
})

describe('an endpoint', () => {
  it('is what Docker gives a container', async () => {
    await using net = host.network({ mtu: 1450 })
    const { path, lease } = await net.connect('plain')
    assert.equal(lease.address, '172.17.0.2')
    assert.match(inSandbox(path, 'ip address show eth0'), /^2: eth0@if\d+: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 .*\n +link\/ether 02:42:ac:11:00:02 .*\n +inet 172\.17\.0\.2\/16 brd 172\.17\.255\.255 scope global eth0\n.*\n$/)
    assert.match(inSandbox(path, 'ip route'), /^default via 172\.17\.0\.1 dev eth0 \n172\.17\.0\.0\/16 dev eth0 .*scope link src 172\.17\.0\.2 \n$/)
    assert.equal(inSandbox(path, 'cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6 /proc/sys/net/ipv6/conf/lo/disable_ipv6'), '1\n0\n')
    assert.equal(onHost(`cat /proc/sys/net/ipv6/conf/${lease.hostInterface}/disable_ipv6`), '1\n')
    assert.match(onHost(`ip link show ${lease.hostInterface}`), /mtu 1450 .*master engtest0/)
  })

  it('leaves nothing when it cannot be attached', async () => {
    await using net = host.network()
    await net.connect('neighbour')
    const before = { links: linkNames(), rules: onHost('nft list ruleset') }
    const lease = createLease({ hostInterface: 'vethtest1', address: '172.17.9.9' })
    await assert.rejects(net.bridge.connect(join(host.directory, 'nowhere'), lease), { code: 'not-found' })
    await assert.rejects(net.bridge.connect(join(host.directory, 'neighbour'), lease), { code: 'conflict' })
    // Fails late, inside the sandbox: there is a default route already.
    const path = join(host.directory, 'odd')
    await createSandbox(path)
    inSandbox(path, 'ip route add default dev lo')
    await assert.rejects(net.bridge.connect(path, lease), EngineError)
    assert.deepEqual({ links: linkNames(), rules: onHost('nft list ruleset') }, before)
    assert.doesNotMatch(inSandbox(path, 'ip link'), /eth0/)
    removeSandbox(path)
  })

  it('goes while its container stays', async () => {
    await using net = host.network()
    const { path, lease } = await net.connect('leaver')
    await net.bridge.disconnect(path, lease)
    await net.bridge.disconnect(path, lease)
    assert.doesNotMatch(inSandbox(path, 'ip link'), /eth0/)
    assert.deepEqual(net.bridge.list(), { ports: [], rules: [] })
    await net.bridge.connect(path, lease)
    assert.ok(succeedsIn(path, 'busybox ping -c 1 -W 1 172.17.0.1'))
  })

  it('takes the place of one that a crash left', async () => {
    await using net = host.network()
    const { lease } = await net.connect('first')
    const path = join(host.directory, 'second')
    await createSandbox(path)
    await net.bridge.connect(path, lease)
    assert.ok(succeedsIn(path, 'busybox ping -c 1 -W 1 172.17.0.1'))
    assert.deepEqual(net.bridge.list().ports, [lease.hostInterface])
    net.bridge.release(lease)
    removeSandbox(path)
  })

  it('shows in the ledger what was done for it', async () => {
    await using net = host.network()
    const records: SyscallRecord[] = []
    setTracer((record) => records.push(record))
    const { lease } = await net.connect('traced')
    setTracer(undefined)
    assert.deepEqual(records.filter(({ call, result }) => call === 'nft' && result < 0), [])
    const veth = records.find(({ call, args }) => call === 'netlink RTM_NEWLINK' && args['kind'] === 'veth')
    assert.equal(veth?.args['name'], lease.hostInterface)
    assert.equal(veth?.args['peer'], 'eth0')
    assert.match(String(records.find(({ call }) => call === 'nft')?.args['text']), new RegExp(`addresses { "${lease.hostInterface}" . ${lease.mac} . ${lease.address} }`))
    assert.deepEqual(records.find(({ call }) => call === 'netlink RTM_NEWROUTE')?.args, { to: 'default', gateway: '172.17.0.1', index: 2 })
  })
})

describe('traffic', () => {
  it('goes out under the host\'s address, and not without masquerade', async () => {
    await using net = host.network()
    const { path } = await net.connect('client')
    using _server = await serveIn(host.outside, 8080)
    assert.equal(askFrom(path, outsideAddress, 8080), hostAddress)
    using bare = new BridgeNetwork({ ...bridgeSettings, masquerade: false }, host.firewall)
    bare.ensure()
    assert.equal(askFrom(path, outsideAddress, 8080, short), undefined)
  })

  it('does not come in to a container by its own address', async () => {
    await using net = host.network()
    const { path, lease } = await net.connect('server')
    using _server = await serveIn(path, 8080)
    const outside = host.outside
    inSandbox(outside, `ip route replace 172.17.0.0/16 via ${hostAddress}`)
    assert.equal(askFrom(outside, lease.address, 8080, short), undefined)
    host.firewall.removeBridge('engtest0')
    assert.equal(askFrom(outside, lease.address, 8080), outsideAddress, 'it is the rules that keep it out')
    net.bridge.ensure()
    assert.equal(askFrom(outside, lease.address, 8080, short), undefined)
    inSandbox(outside, 'ip route delete 172.17.0.0/16')
  })

  it('passes between containers, unless they are kept apart', async () => {
    {
      await using open = host.network()
      const [a, b] = [await open.connect('a'), await open.connect('b')]
      using _server = await serveIn(b.path, 8080)
      assert.equal(askFrom(a.path, b.lease.address, 8080), a.lease.address)
    }
    await using apart = host.network({ interContainer: false })
    const [a, b] = [await apart.connect('a'), await apart.connect('b')]
    using _server = await serveIn(b.path, 8080)
    assert.equal(askFrom(a.path, b.lease.address, 8080, short), undefined)
    assert.ok(succeedsIn(a.path, 'busybox ping -c 1 -W 1 172.17.0.1'))
    // Nor when it knows its neighbour, and claims to have been led there by a published port: no priority comes through a veth.
    for (const [one, other] of [[a, b], [b, a]] as const) inSandbox(one.path, `ip neighbour replace ${other.lease.address} lladdr ${other.lease.mac} dev eth0`)
    inSandbox(a.path, "nft 'add table ip p; add chain ip p o { type filter hook output priority 0; }; add rule ip p o meta priority set eeee:6e67'")
    onHost('test ! -e /proc/sys/net/bridge || echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables')
    assert.equal(askFrom(a.path, b.lease.address, 8080, short), undefined)
    onHost(`nft insert rule bridge ${host.table} prerouting meta priority set eeee:6e67`)
    assert.equal(askFrom(a.path, b.lease.address, 8080), a.lease.address, 'with it the host would let it through')
    host.firewall.restore()
    onHost('test ! -e /proc/sys/net/bridge || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables')
    using _outside = await serveIn(host.outside, 8081)
    assert.equal(askFrom(a.path, outsideAddress, 8081), hostAddress)
  })

  it('does not pass between two networks', async () => {
    await using one = host.network()
    await using two = host.network({ bridge: 'engtest9', address: '10.99.0.1/24' })
    const [a, b] = [await one.connect('one'), await two.connect('two')]
    using _server = await serveIn(b.path, 8080)
    assert.equal(askFrom(a.path, b.lease.address, 8080, short), undefined)
  })
})

describe('routing', () => {
  it('tells what the kernel said of a mistake', () => {
    using routing = new Routing()
    assert.throws(() => routing.addRoute({ index: 1, gateway: '192.0.2.77', scope: 0 }), /^SyscallError: netlink RTM_NEWROUTE\(.*reason="Nexthop has invalid gateway"\)/)
    assert.equal(routing.findLink({ name: 'nothing' }), undefined)
    assert.equal(routing.findLink({ index: 1 })?.name, 'lo')
  })
})
