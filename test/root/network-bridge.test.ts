import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { EngineError, setTracer, type SyscallRecord } from '@engine/linux'
import { Routing } from '@engine/linux/netlink'
import { allocateAddress, BridgeNetwork, createLease, createSandbox, defaultSubnetPools, Firewall, listSandboxes, randomHostInterface, removeSandbox, type BridgeNetworkSettings, type EndpointLease } from '@engine/network'
import { askFrom, enterPrivateHost, inSandbox, linkNames, onHost, serveIn, succeedsIn, until } from '../harness/network-host.ts'

const table = `engine-test-${process.pid}`
const settings: BridgeNetworkSettings = { bridge: 'engtest0', subnetPools: defaultSubnetPools, mtu: 1500, masquerade: true, interContainer: true }
const outsideAddress = '198.51.100.2'
const hostAddress = '198.51.100.1'
/** Seconds that are enough to see that no answer comes: all links are local. */
const short = 0.6

let directory = ''
let firewall: Firewall

before(async () => {
  await enterPrivateHost()
  directory = mkdtempSync(join(tmpdir(), 'engine-bridge-'))
  onHost('echo 1 >/proc/sys/net/ipv4/ip_forward')
  firewall = new Firewall(table)
  firewall.ensure()
  await connectOutside('outside', 'uplink0', '198.51.100')
})

after(() => {
  firewall.remove()
  firewall[Symbol.dispose]()
  for (const name of listSandboxes(directory)) removeSandbox(join(directory, name))
  rmSync(directory, { recursive: true })
})

/** A namespace beyond the host, with a link to it: the world, or a neighbour in the host's network. */
async function connectOutside(name: string, uplink: string, net: string): Promise<string> {
  const path = join(directory, name)
  await createSandbox(path)
  onHost(`ip link add ${uplink} type veth peer name out0 && nsenter --net=${path} true && ip link set out0 netns ${path}`)
  onHost(`ip address add ${net}.1/24 dev ${uplink} && ip link set ${uplink} up`)
  inSandbox(path, `ip address add ${net}.2/24 dev out0 && ip link set out0 up`)
  return path
}

/** A network that is away at the end of the test's scope, with the containers that were connected to it. */
function network(change: Partial<BridgeNetworkSettings> = {}) {
  const bridge = new BridgeNetwork({ ...settings, ...change }, firewall)
  const view = bridge.ensure()
  const leases = new Map<string, EndpointLease>()
  return {
    bridge,
    view,
    async connect(name: string, antiSpoofing = true): Promise<{ path: string; lease: EndpointLease & { readonly address: string } }> {
      const path = join(directory, name)
      await createSandbox(path)
      const address = allocateAddress(bridge.pool() ?? assert.fail('no addresses'), new Set([...leases.values()].map((lease) => lease.address ?? '')))
      const lease = { ...createLease({ hostInterface: randomHostInterface(), antiSpoofing, address }), address }
      leases.set(path, lease)
      await bridge.connect(path, lease)
      return { path, lease }
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const [path, lease] of leases) {
        bridge.release(lease)
        removeSandbox(path)
      }
      await bridge.remove()
      bridge[Symbol.dispose]()
      const own = new Set([...leases.values()].map(({ hostInterface }) => hostInterface))
      await until(() => !linkNames().some((name) => own.has(name)))
    },
  }
}

describe('a bridge', () => {
  it('has the gateway address, a MAC of its own, no IPv6, and no way to the host\'s loopback', async () => {
    await using net = network()
    assert.deepEqual({ ...net.view, warnings: [] }, { bridge: 'engtest0', subnet: '172.17.0.0/16', range: undefined, gateway: '172.17.0.1', prefix: 16, mtu: 1500, ipv6: undefined, warnings: [] })
    assert.match(onHost('ip -brief address show engtest0'), /^engtest0 +DOWN +172\.17\.0\.1\/16 *\n$/)
    assert.match(onHost('ip -detail link show engtest0'), /link\/ether 02:42:ac:11:00:01 .*bridge /s)
    assert.equal(onHost('cd /proc/sys/net; cat ipv6/conf/engtest0/disable_ipv6 ipv6/conf/engtest0/accept_ra ipv4/conf/engtest0/route_localnet'), '1\n0\n0\n')
    await net.connect('mac')
    assert.match(onHost('ip link show engtest0'), /link\/ether 02:42:ac:11:00:01 /)
  })

  it('is taken over as it is by a daemon that comes later', async () => {
    await using net = network()
    const { path, lease } = await net.connect('survivor')
    using later = new BridgeNetwork(settings, firewall)
    assert.equal(later.ensure().gateway, '172.17.0.1')
    assert.deepEqual(later.list().ports, [lease.hostInterface])
    assert.deepEqual(later.list().rules, [{ hostInterface: lease.hostInterface, mac: lease.mac, addresses: [lease.address] }])
    assert.ok(succeedsIn(path, 'busybox ping -c 1 -W 1 172.17.0.1'))
  })

  it('follows a change of its settings while nobody is on it, and refuses while somebody is', async () => {
    await using net = network({ address: '10.87.0.1/24' })
    using moved = new BridgeNetwork({ ...settings, address: '10.88.0.1/24', mtu: 1400 }, firewall)
    moved.ensure()
    assert.match(onHost('ip address show engtest0'), /mtu 1400 [^]*inet 10\.88\.0\.1\/24 brd 10\.88\.0\.255/)
    assert.doesNotMatch(onHost('ip address show engtest0'), /10\.87/)
    net.bridge.ensure()
    await net.connect('holder')
    assert.throws(() => moved.ensure(), { code: 'conflict' })
  })

  it('takes no link that is something else', () => {
    onHost('ip link add engtest1 type veth peer name engtest2')
    using wrong = new BridgeNetwork({ ...settings, bridge: 'engtest1' }, firewall)
    assert.throws(() => wrong.ensure(), { code: 'conflict' })
    firewall.removeBridge('engtest1')
    onHost('ip link delete engtest1')
  })

  it('chooses a subnet that no route of the host leads to', async () => {
    onHost('ip route add 172.17.128.0/24 via 198.51.100.2 && ip route add 172.18.0.0/15 via 198.51.100.2')
    await using net = network()
    assert.equal(net.view.subnet, '172.20.0.0/16')
    onHost('ip route delete 172.17.128.0/24 && ip route delete 172.18.0.0/15')
    assert.equal(net.bridge.ensure().subnet, '172.20.0.0/16')
  })
})

describe('an endpoint', () => {
  it('is what Docker gives a container', async () => {
    await using net = network({ mtu: 1450 })
    const { path, lease } = await net.connect('plain')
    assert.equal(lease.address, '172.17.0.2')
    assert.match(inSandbox(path, 'ip address show eth0'), /^2: eth0@if\d+: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 .*\n +link\/ether 02:42:ac:11:00:02 .*\n +inet 172\.17\.0\.2\/16 brd 172\.17\.255\.255 scope global eth0\n.*\n$/)
    assert.match(inSandbox(path, 'ip route'), /^default via 172\.17\.0\.1 dev eth0 \n172\.17\.0\.0\/16 dev eth0 .*scope link src 172\.17\.0\.2 \n$/)
    assert.equal(inSandbox(path, 'cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6 /proc/sys/net/ipv6/conf/lo/disable_ipv6'), '1\n0\n')
    assert.equal(onHost(`cat /proc/sys/net/ipv6/conf/${lease.hostInterface}/disable_ipv6`), '1\n')
    assert.match(onHost(`ip link show ${lease.hostInterface}`), /mtu 1450 .*master engtest0/)
  })

  it('leaves nothing when it cannot be attached', async () => {
    await using net = network()
    await net.connect('neighbour')
    const before = { links: linkNames(), rules: onHost('nft list ruleset') }
    const lease = createLease({ hostInterface: 'vethtest1', address: '172.17.9.9' })
    await assert.rejects(net.bridge.connect(join(directory, 'nowhere'), lease), { code: 'not-found' })
    await assert.rejects(net.bridge.connect(join(directory, 'neighbour'), lease), { code: 'conflict' })
    // Fails late, inside the sandbox: there is a default route already.
    const path = join(directory, 'odd')
    await createSandbox(path)
    inSandbox(path, 'ip route add default dev lo')
    await assert.rejects(net.bridge.connect(path, lease), EngineError)
    assert.deepEqual({ links: linkNames(), rules: onHost('nft list ruleset') }, before)
    assert.doesNotMatch(inSandbox(path, 'ip link'), /eth0/)
    removeSandbox(path)
  })

  it('goes while its container stays', async () => {
    await using net = network()
    const { path, lease } = await net.connect('leaver')
    await net.bridge.disconnect(path, lease)
    await net.bridge.disconnect(path, lease)
    assert.doesNotMatch(inSandbox(path, 'ip link'), /eth0/)
    assert.deepEqual(net.bridge.list(), { ports: [], rules: [] })
    await net.bridge.connect(path, lease)
    assert.ok(succeedsIn(path, 'busybox ping -c 1 -W 1 172.17.0.1'))
  })

  it('takes the place of one that a crash left', async () => {
    await using net = network()
    const { lease } = await net.connect('first')
    const path = join(directory, 'second')
    await createSandbox(path)
    await net.bridge.connect(path, lease)
    assert.ok(succeedsIn(path, 'busybox ping -c 1 -W 1 172.17.0.1'))
    assert.deepEqual(net.bridge.list().ports, [lease.hostInterface])
    net.bridge.release(lease)
    removeSandbox(path)
  })

  it('shows in the ledger what was done for it', async () => {
    await using net = network()
    const records: SyscallRecord[] = []
    setTracer((record) => records.push(record))
    const { lease } = await net.connect('traced')
    setTracer(undefined)
    const veth = records.find(({ call, args }) => call === 'netlink RTM_NEWLINK' && args['kind'] === 'veth')
    assert.equal(veth?.args['name'], lease.hostInterface)
    assert.equal(veth?.args['peer'], 'eth0')
    assert.match(String(records.find(({ call }) => call === 'nft')?.args['text']), new RegExp(`addresses { "${lease.hostInterface}" . ${lease.mac} . ${lease.address} }`))
    assert.deepEqual(records.find(({ call }) => call === 'netlink RTM_NEWROUTE')?.args, { to: 'default', gateway: '172.17.0.1', index: 2 })
  })
})

describe('traffic', () => {
  it('goes out under the host\'s address, and not without masquerade', async () => {
    await using net = network()
    const { path } = await net.connect('client')
    using _server = await serveIn(join(directory, 'outside'), 8080)
    assert.equal(askFrom(path, outsideAddress, 8080), hostAddress)
    using bare = new BridgeNetwork({ ...settings, masquerade: false }, firewall)
    bare.ensure()
    assert.equal(askFrom(path, outsideAddress, 8080, short), undefined)
  })

  it('does not come in to a container by its own address', async () => {
    await using net = network()
    const { path, lease } = await net.connect('server')
    using _server = await serveIn(path, 8080)
    const outside = join(directory, 'outside')
    inSandbox(outside, `ip route replace 172.17.0.0/16 via ${hostAddress}`)
    assert.equal(askFrom(outside, lease.address, 8080, short), undefined)
    firewall.removeBridge('engtest0')
    assert.equal(askFrom(outside, lease.address, 8080), outsideAddress, 'it is the rules that keep it out')
    net.bridge.ensure()
    assert.equal(askFrom(outside, lease.address, 8080, short), undefined)
    inSandbox(outside, 'ip route delete 172.17.0.0/16')
  })

  it('passes between containers, unless they are kept apart', async () => {
    {
      await using open = network()
      const [a, b] = [await open.connect('a'), await open.connect('b')]
      using _server = await serveIn(b.path, 8080)
      assert.equal(askFrom(a.path, b.lease.address, 8080), a.lease.address)
    }
    await using apart = network({ interContainer: false })
    const [a, b] = [await apart.connect('a'), await apart.connect('b')]
    using _server = await serveIn(b.path, 8080)
    assert.equal(askFrom(a.path, b.lease.address, 8080, short), undefined)
    assert.ok(succeedsIn(a.path, 'busybox ping -c 1 -W 1 172.17.0.1'))
    using _outside = await serveIn(join(directory, 'outside'), 8081)
    assert.equal(askFrom(a.path, outsideAddress, 8081), hostAddress)
  })

  it('does not pass between two networks', async () => {
    await using one = network()
    await using two = network({ bridge: 'engtest9', address: '10.99.0.1/24' })
    const [a, b] = [await one.connect('one'), await two.connect('two')]
    using _server = await serveIn(b.path, 8080)
    assert.equal(askFrom(a.path, b.lease.address, 8080, short), undefined)
  })
})

describe('anti-spoofing', () => {
  it('lets a container use no address and no MAC but its own', async () => {
    await using net = network()
    const { path } = await net.connect('spoofer')
    const ping = 'busybox ping -c 1 -W 1 172.17.0.1'
    assert.ok(succeedsIn(path, ping))
    inSandbox(path, 'ip address add 172.17.0.77/16 dev eth0')
    assert.ok(!succeedsIn(path, `${ping} -I 172.17.0.77`))
    assert.ok(succeedsIn(path, `${ping} -I 172.17.0.2`))
    inSandbox(path, 'ip link set eth0 address 02:42:ac:11:00:63')
    assert.ok(!succeedsIn(path, ping))
    inSandbox(path, 'ip link set eth0 address 02:42:ac:11:00:02')
    assert.ok(succeedsIn(path, ping))
  })

  it('keeps a container from claiming a neighbour\'s address by ARP', async () => {
    await using net = network()
    const [victim, attacker] = [await net.connect('victim'), await net.connect('attacker')]
    assert.ok(succeedsIn(victim.path, 'busybox ping -c 1 -W 1 172.17.0.1'))
    const neighbour = (): string => onHost(`ip neighbour show ${victim.lease.address}`)
    // An announcement of the victim's address with the attacker's MAC; -A makes it a reply that nobody asked for.
    const claim = `ip address add ${victim.lease.address}/32 dev eth0; busybox arping -c 2 -A -I eth0 ${victim.lease.address}`
    succeedsIn(attacker.path, claim)
    assert.match(neighbour(), new RegExp(victim.lease.mac))
    await using trusting = network({ bridge: 'engtest9', address: '10.99.0.1/24' })
    const [there, liar] = [await trusting.connect('there', false), await trusting.connect('liar', false)]
    assert.ok(succeedsIn(there.path, 'busybox ping -c 1 -W 1 10.99.0.1'))
    succeedsIn(liar.path, `ip address add ${there.lease.address}/32 dev eth0; busybox arping -c 2 -A -I eth0 ${there.lease.address}`)
    assert.match(onHost(`ip neighbour show ${there.lease.address}`), new RegExp(liar.lease.mac), 'without the rules the claim works')
  })

  it('drops IPv6, with it router advertisements', async () => {
    await using net = network()
    const [a, b] = [await net.connect('a6'), await net.connect('b6')]
    for (const [{ path }, last] of [[a, 1], [b, 2]] as const) inSandbox(path, `echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip address add fd99::${last}/64 dev eth0 nodad`)
    assert.ok(!succeedsIn(a.path, 'busybox ping6 -c 1 -W 1 fd99::2'))
  })
})

describe('the firewall', () => {
  it('touches nothing that is not its own', async () => {
    onHost('nft add table inet foreign && nft add chain inet foreign c "{ type filter hook forward priority 0; policy accept; }" && nft add rule inet foreign c counter')
    const foreign = onHost('nft list table inet foreign')
    {
      await using net = network()
      await net.connect('x')
    }
    firewall.remove()
    assert.equal(onHost('nft list ruleset'), foreign)
    firewall.ensure()
    assert.equal(onHost('nft list table inet foreign'), foreign)
    onHost('nft delete table inet foreign')
  })

  it('reports what drops containers\' packets in other tables', async () => {
    await using net = network()
    assert.deepEqual(net.view.warnings, [])
    onHost('nft add table ip filter && nft add chain ip filter FORWARD "{ type filter hook forward priority 0; policy drop; }"')
    const { path } = await net.connect('stuck')
    using _server = await serveIn(join(directory, 'outside'), 8080)
    assert.equal(askFrom(path, outsideAddress, 8080, short), undefined)
    const [warning = ''] = net.bridge.inspect().warnings
    assert.match(warning, /chain FORWARD of nftables table ip filter drops .*engtest0.*DOCKER-USER/)
    onHost('nft insert rule ip filter FORWARD iifname engtest0 accept && nft insert rule ip filter FORWARD oifname engtest0 accept')
    assert.deepEqual(net.bridge.inspect().warnings, [])
    assert.equal(askFrom(path, outsideAddress, 8080), hostAddress)
    onHost('nft delete table ip filter')
  })

  it('makes no router of a host that was none', async () => {
    firewall.remove()
    onHost('echo 0 >/proc/sys/net/ipv4/ip_forward')
    firewall.ensure()
    assert.equal(onHost('cat /proc/sys/net/ipv4/ip_forward'), '1\n')
    firewall.ensure()
    const other = await connectOutside('elsewhere', 'uplink1', '203.0.113')
    inSandbox(other, 'ip route add default via 203.0.113.1')
    inSandbox(join(directory, 'outside'), 'ip route add default via 198.51.100.1')
    using _server = await serveIn(join(directory, 'outside'), 8080)
    assert.equal(askFrom(other, outsideAddress, 8080, short), undefined)
    {
      await using net = network()
      const { path } = await net.connect('inside')
      assert.equal(askFrom(path, outsideAddress, 8080), hostAddress)
    }
    firewall.remove()
    assert.equal(onHost('cat /proc/sys/net/ipv4/ip_forward'), '0\n')
    onHost('echo 1 >/proc/sys/net/ipv4/ip_forward')
    assert.equal(askFrom(other, outsideAddress, 8080), '203.0.113.2', 'it was the rules that kept it out')
    firewall.ensure()
    assert.equal(askFrom(other, outsideAddress, 8080), '203.0.113.2', 'a host that is a router stays one')
    removeSandbox(other)
    await until(() => !linkNames().includes('uplink1'))
    inSandbox(join(directory, 'outside'), 'ip route delete default')
  })

  it('lets other engines on the host be, which come and go in any order', async () => {
    firewall.remove()
    onHost('echo 0 >/proc/sys/net/ipv4/ip_forward')
    using _server = await serveIn(join(directory, 'outside'), 8080)
    firewall.ensure()
    const stranger = await connectOutside('stranger', 'uplink2', '203.0.113')
    inSandbox(stranger, 'ip route add default via 203.0.113.1')
    using second = new Firewall(`${table}-2`)
    second.ensure()
    using bridge = new BridgeNetwork({ ...settings, bridge: 'engtest1', address: '10.99.0.1/24' }, second)
    bridge.ensure()
    const path = join(directory, 'neighbour')
    await createSandbox(path)
    const lease = createLease({ hostInterface: randomHostInterface(), address: '10.99.0.2' })
    await bridge.connect(path, lease)
    {
      await using net = network()
      const { path: first } = await net.connect('inside')
      assert.equal(askFrom(first, outsideAddress, 8080), hostAddress)
      assert.equal(askFrom(path, outsideAddress, 8080), hostAddress)
    }
    firewall.remove()
    assert.equal(askFrom(path, outsideAddress, 8080), hostAddress, 'the second goes on without the first')
    assert.equal(askFrom(stranger, outsideAddress, 8080, short), undefined, 'and keeps strangers out')
    bridge.release(lease)
    removeSandbox(path)
    await bridge.remove()
    second.remove()
    assert.equal(onHost('cat /proc/sys/net/ipv4/ip_forward'), '0\n')
    removeSandbox(stranger)
    await until(() => !linkNames().includes('uplink2'))
    onHost('echo 1 >/proc/sys/net/ipv4/ip_forward')
    firewall.ensure()
  })
})

describe('many endpoints', () => {
  it('leave nothing after 200 cycles', async (t) => {
    await using net = network()
    const count = (): { links: number; rules: string } => ({ links: linkNames().length, rules: onHost('nft list ruleset') })
    await cycle(net.bridge)
    await until(() => net.bridge.list().ports.length === 0)
    const before = count()
    const times: number[] = []
    for (let index = 0; index < 200; index++) times.push(await cycle(net.bridge))
    await until(() => net.bridge.list().ports.length === 0)
    assert.deepEqual(count(), before)
    assert.deepEqual(listSandboxes(directory).filter((name) => name === 'cycle'), [])
    times.sort((a, b) => a - b)
    t.diagnostic(`sandbox and endpoint: least ${times[0]?.toFixed(2)} ms, median ${times[100]?.toFixed(2)} ms, most ${times.at(-1)?.toFixed(2)} ms`)
  })

  it('are made at once', async (t) => {
    await using net = network()
    const start = performance.now()
    const made = await Promise.all(Array.from({ length: 150 }, async (_, index) => {
      const path = join(directory, `crowd-${index}`)
      const lease = createLease({ hostInterface: `vethcrowd${index}`, address: `172.17.1.${index + 1}` })
      await createSandbox(path)
      await net.bridge.connect(path, lease)
      return { path, lease }
    }))
    t.diagnostic(`150 in ${(performance.now() - start).toFixed(0)} ms`)
    assert.equal(net.bridge.list().ports.length, 150)
    assert.equal(net.bridge.list().rules.length, 150)
    assert.ok(succeedsIn(made[149]?.path ?? '', 'busybox ping -c 1 -W 1 172.17.1.1'))
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
  const path = join(directory, 'cycle')
  const start = performance.now()
  const lease = createLease({ hostInterface: randomHostInterface(), address: '172.17.0.2' })
  await createSandbox(path)
  await bridge.connect(path, lease)
  const taken = performance.now() - start
  bridge.release(lease)
  removeSandbox(path)
  return taken
}

describe('routing', () => {
  it('tells what the kernel said of a mistake', () => {
    using routing = new Routing()
    assert.throws(() => routing.addRoute({ index: 1, gateway: '192.0.2.77', scope: 0 }), /^SyscallError: netlink RTM_NEWROUTE\(.*reason="Nexthop has invalid gateway"\)/)
    assert.equal(routing.findLink({ name: 'nothing' }), undefined)
    assert.equal(routing.findLink({ index: 1 })?.name, 'lo')
  })
})
