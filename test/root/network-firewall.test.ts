import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTracer, type SyscallRecord } from '@engine/linux'
import { BridgeNetwork, createLease, createSandbox, Firewall, randomHostInterface, removeSandbox } from '@engine/network'
import { bridgeSettings, hostAddress, openBridgeHost, outsideAddress, type BridgeHost } from '../harness/bridge-host.ts'
import { askFrom, inSandbox, linkNames, onHost, serveIn, short, succeedsIn, until } from '../harness/network-host.ts'

let host: BridgeHost

before(async () => {
  host = await openBridgeHost()
})

after(() => host[Symbol.dispose]())

describe('anti-spoofing', () => {
  it('lets a container use no address and no MAC but its own', async () => {
    await using net = host.network()
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
    await using net = host.network()
    const [victim, attacker] = [await net.connect('victim'), await net.connect('attacker')]
    assert.ok(succeedsIn(victim.path, 'busybox ping -c 1 -W 1 172.17.0.1'))
    const neighbour = (): string => onHost(`ip neighbour show ${victim.lease.address}`)
    // An announcement of the victim's address with the attacker's MAC; -A makes it a reply that nobody asked for.
    const claim = `ip address add ${victim.lease.address}/32 dev eth0; busybox arping -c 2 -A -I eth0 ${victim.lease.address}`
    succeedsIn(attacker.path, claim)
    assert.match(neighbour(), new RegExp(victim.lease.mac))
    await using trusting = host.network({ bridge: 'engtest9', address: '10.99.0.1/24' })
    const [there, liar] = [await trusting.connect('there', false), await trusting.connect('liar', false)]
    assert.ok(succeedsIn(there.path, 'busybox ping -c 1 -W 1 10.99.0.1'))
    succeedsIn(liar.path, `ip address add ${there.lease.address}/32 dev eth0; busybox arping -c 2 -A -I eth0 ${there.lease.address}`)
    assert.match(onHost(`ip neighbour show ${there.lease.address}`), new RegExp(liar.lease.mac), 'without the rules the claim works')
  })

  it('drops IPv6, with it router advertisements', async () => {
    await using net = host.network()
    const [a, b] = [await net.connect('a6'), await net.connect('b6')]
    for (const [{ path }, last] of [[a, 1], [b, 2]] as const) inSandbox(path, `echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip address add fd99::${last}/64 dev eth0 nodad`)
    assert.ok(!succeedsIn(a.path, 'busybox ping6 -c 1 -W 1 fd99::2'))
  })
})

describe('the firewall', () => {
  it('has by netlink the same elements as by the library, and takes away what is there or not', () => {
    const endpoint = { hostInterface: 'vethsame', mac: '02:42:ac:11:00:63', addresses: ['172.17.0.99', 'fd00::99'], antiSpoofing: true, interContainer: false }
    const sets = (): string => onHost(`for set in checked addresses addresses6 targets apart; do nft list set bridge ${host.table} $set; done`)
    const words = (text: string): string[] => text.split(/[\s,]+/).toSorted()
    const before = sets()
    const records: SyscallRecord[] = []
    setTracer((record) => records.push(record))
    host.firewall.addEndpoint(endpoint)
    host.firewall.addEndpoint(endpoint)
    const byNetlink = sets()
    host.firewall.restore()
    assert.deepEqual(words(byNetlink), words(sets()))
    assert.equal(byNetlink.match(/vethsame/g)?.length, 8)
    for (let round = 0; round < 2; round++) host.firewall.removeEndpoint(endpoint)
    setTracer(undefined)
    assert.deepEqual(words(sets()), words(before))
    assert.deepEqual(records.filter(({ call, result }) => call === 'nft' && result < 0), [])
    // Somebody has flushed the rules at this very moment: it is said, as the library says it.
    onHost(`nft delete table bridge ${host.table}`)
    assert.throws(() => host.firewall.addEndpoint(endpoint), /^NftablesError: nft: .*No such file or directory/)
    host.firewall.restore()
    host.firewall.removeEndpoint(endpoint)
  })

  it('touches nothing that is not its own', async () => {
    onHost('nft add table inet foreign && nft add chain inet foreign c "{ type filter hook forward priority 0; policy accept; }" && nft add rule inet foreign c counter')
    const foreign = onHost('nft list table inet foreign')
    {
      await using net = host.network()
      await net.connect('x')
    }
    host.firewall.remove()
    assert.equal(onHost('nft list ruleset'), foreign)
    host.firewall.ensure()
    assert.equal(onHost('nft list table inet foreign'), foreign)
    onHost('nft delete table inet foreign')
  })

  it('reports what drops containers\' packets in other tables', async () => {
    await using net = host.network()
    assert.deepEqual(net.view.warnings, [])
    onHost('nft add table ip filter && nft add chain ip filter FORWARD "{ type filter hook forward priority 0; policy drop; }"')
    const { path } = await net.connect('stuck')
    using _server = await serveIn(host.outside, 8080)
    assert.equal(askFrom(path, outsideAddress, 8080, short), undefined)
    const [warning = ''] = net.bridge.inspect().warnings
    assert.match(warning, /chain FORWARD of nftables table ip filter drops .*engtest0.*DOCKER-USER/)
    onHost('nft insert rule ip filter FORWARD iifname engtest0 accept && nft insert rule ip filter FORWARD oifname engtest0 accept')
    assert.deepEqual(net.bridge.inspect().warnings, [])
    assert.equal(askFrom(path, outsideAddress, 8080), hostAddress)
    onHost('nft delete table ip filter')
  })

  it('makes no router of a host that was none', async () => {
    host.firewall.remove()
    onHost('echo 0 >/proc/sys/net/ipv4/ip_forward')
    host.firewall.ensure()
    assert.equal(onHost('cat /proc/sys/net/ipv4/ip_forward'), '1\n')
    host.firewall.ensure()
    const other = await host.connectOutside('elsewhere', 'uplink1', '203.0.113')
    inSandbox(other, 'ip route add default via 203.0.113.1')
    inSandbox(host.outside, 'ip route add default via 198.51.100.1')
    using _server = await serveIn(host.outside, 8080)
    assert.equal(askFrom(other, outsideAddress, 8080, short), undefined)
    {
      await using net = host.network()
      const { path } = await net.connect('inside')
      assert.equal(askFrom(path, outsideAddress, 8080), hostAddress)
    }
    host.firewall.remove()
    assert.equal(onHost('cat /proc/sys/net/ipv4/ip_forward'), '0\n')
    onHost('echo 1 >/proc/sys/net/ipv4/ip_forward')
    assert.equal(askFrom(other, outsideAddress, 8080), '203.0.113.2', 'it was the rules that kept it out')
    host.firewall.ensure()
    assert.equal(askFrom(other, outsideAddress, 8080), '203.0.113.2', 'a host that is a router stays one')
    removeSandbox(other)
    await until(() => !linkNames().includes('uplink1'))
    inSandbox(host.outside, 'ip route delete default')
  })

  it('lets other engines on the host be, which come and go in any order', async () => {
    host.firewall.remove()
    onHost('echo 0 >/proc/sys/net/ipv4/ip_forward')
    using _server = await serveIn(host.outside, 8080)
    host.firewall.ensure()
    const stranger = await host.connectOutside('stranger', 'uplink2', '203.0.113')
    inSandbox(stranger, 'ip route add default via 203.0.113.1')
    using second = new Firewall(`${host.table}-2`)
    second.ensure()
    using bridge = new BridgeNetwork({ ...bridgeSettings, bridge: 'engtest1', address: '10.99.0.1/24' }, second)
    bridge.ensure()
    const path = join(host.directory, 'neighbour')
    await createSandbox(path)
    const lease = createLease({ hostInterface: randomHostInterface(), address: '10.99.0.2' })
    await bridge.connect(path, lease)
    {
      await using net = host.network()
      const { path: first } = await net.connect('inside')
      assert.equal(askFrom(first, outsideAddress, 8080), hostAddress)
      assert.equal(askFrom(path, outsideAddress, 8080), hostAddress)
    }
    host.firewall.remove()
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
    host.firewall.ensure()
  })
})
