import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { inSandbox, onHost, serveIn, short, until } from '../harness/network-host.ts'
import { ask, askUdp, bash, hostAddress, openPublishingHost, published, serveUdp, type PublishingHost } from '../harness/publishing-host.ts'

let host: PublishingHost

before(async () => {
  host = await openPublishingHost()
})

after(() => host[Symbol.asyncDispose]())

describe('a published port', () => {
  it('is reached by loopback, by the host\'s address, by other containers, by its own, and from outside with the client\'s address', async () => {
    await using web = await host.container(published('80/tcp', ['', '8080'], ['127.0.0.1', '8081']))
    await using neighbour = await host.container({})
    using _server = await serveIn(web.sandbox, 80)
    assert.equal(await ask(undefined, '127.0.0.1', 8080), web.gateway)
    assert.equal(await ask(undefined, '127.0.0.1', 8081), web.gateway)
    assert.equal(await ask(undefined, '127.9.9.9', 8080), web.gateway)
    assert.equal(await ask(undefined, hostAddress, 8080), hostAddress)
    assert.equal(await ask(neighbour.sandbox, hostAddress, 8080), web.gateway)
    assert.equal(await ask(neighbour.sandbox, web.gateway, 8080), web.gateway)
    assert.equal(await ask(web.sandbox, hostAddress, 8080), web.gateway)
    assert.equal(await ask(host.outside, hostAddress, 8080), '198.51.100.2')
  })

  it('lets nobody to other ports, nor from outside to what is published on loopback', async () => {
    await using web = await host.container(published('80/tcp', ['127.0.0.1', '8081'], [hostAddress, '8082']))
    using _server = await serveIn(web.sandbox, 80)
    using _other = await serveIn(web.sandbox, 81)
    assert.equal(await ask(undefined, '127.0.0.1', 8081), web.gateway)
    assert.equal(await ask(host.outside, hostAddress, 8082), '198.51.100.2')
    assert.equal(await ask(undefined, '127.0.0.1', 8082), undefined)
    inSandbox(host.outside, `ip route replace ${web.address} via ${hostAddress} && ip address flush dev lo && ip route replace 127.0.0.1 via ${hostAddress} dev out0 src 198.51.100.2 && ip route flush table local root 127.0.0.0/8`)
    onHost('echo 1 >/proc/sys/net/ipv4/conf/uplink0/route_localnet')
    inSandbox(host.outside, 'echo 1 >/proc/sys/net/ipv4/conf/out0/route_localnet')
    assert.equal(await ask(host.outside, '127.0.0.1', 8081, short), undefined)
    assert.equal(await ask(host.outside, web.address, 80, short), undefined)
    assert.equal(await ask(host.outside, web.address, 81, short), undefined)
    assert.equal(await ask(host.outside, hostAddress, 81, short), undefined)
    inSandbox(host.outside, 'ip route delete 127.0.0.1; ip link set lo down; ip link set lo up')
    onHost('echo 0 >/proc/sys/net/ipv4/conf/uplink0/route_localnet')
  })

  it('keeps the host\'s own loopback from containers', async () => {
    await using web = await host.container(published('80/tcp', ['', '8080']))
    using _host = await serveIn(undefined, 9999)
    assert.equal(onHost(`cat /proc/sys/net/ipv4/conf/${host.test.options.bridge}/route_localnet`), '1\n')
    inSandbox(web.sandbox, `ip link set lo down && ip route replace 127.0.0.1 via ${web.gateway} dev eth0 && ip route flush table local root 127.0.0.0/8 && echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet`)
    const arrived = async (): Promise<boolean> => {
      await ask(web.sandbox, '127.0.0.1', 9999, short)
      return onHost('ss -Htn state syn-recv state established sport = :9999') !== ''
    }
    assert.equal(await arrived(), false)
    onHost(`nft flush chain inet ${host.test.options.nftablesTable} loopback`)
    assert.equal(await arrived(), true, 'it is the rule that keeps it out')
    await host.test.reopen()
    assert.match(host.table(), /ip daddr 127\.0\.0\.0\/8 iifname @sources drop/)
  })

  it('carries UDP', async () => {
    await using dns = await host.container(published('53/udp', ['', '5300']))
    using _server = await serveUdp(dns.sandbox, 53)
    assert.equal(await askUdp(undefined, '127.0.0.1', 5300), dns.gateway)
    assert.equal(await askUdp(host.outside, hostAddress, 5300), '198.51.100.2')
  })

  it('takes clients of UDP that were there before it, and forgets them when it goes', async () => {
    const tracked = (): boolean => /udp .*dport=5301/.test(onHost('cat /proc/net/nf_conntrack'))
    const client = bash(host.outside, `exec 3<>/dev/udp/${hostAddress}/5301; while :; do echo >&3; timeout 0.3 dd bs=1500 count=1 status=none <&3 2>/dev/null && exit 0; sleep 0.05; done`, 20)
    await until(tracked)
    {
      await using dns = await host.container(published('53/udp', ['', '5301']))
      using _server = await serveUdp(dns.sandbox, 53)
      assert.equal(await client, '198.51.100.2')
    }
    await until(() => !tracked())
  })

  it('is there again when somebody has flushed the firewall', async () => {
    await using web = await host.container(published('80/tcp', ['', '8080']))
    using _server = await serveIn(web.sandbox, 80)
    const rules = (): string => onHost('nft list ruleset')
    // A set's elements are listed in any order.
    const words = (text: string): string[] => text.split(/[\s,]+/).sort()
    const before = rules()
    onHost('nft flush ruleset')
    await until(() => rules() !== '')
    assert.deepEqual(words(rules()), words(before))
    assert.equal(await ask(host.outside, hostAddress, 8080), '198.51.100.2')
    assert.ok(host.test.troubles.some((trouble) => trouble.includes('somebody flushed the firewall')))
    onHost("nft 'flush ruleset; add table inet own; add chain inet own c { type filter hook input priority 0; policy accept; }'")
    await until(() => rules().includes(host.test.options.nftablesTable))
    assert.match(rules(), /table inet own/)
    onHost('nft delete table inet own')
  })

  it('is gone when its container is', async () => {
    {
      await using web = await host.container(published('80/tcp', ['', '8080']))
      using _server = await serveIn(web.sandbox, 80)
      assert.equal(await ask(host.outside, hostAddress, 8080), '198.51.100.2')
    }
    assert.doesNotMatch(host.table(), /8080/)
    assert.equal(await ask(host.outside, hostAddress, 8080, short), undefined)
    assert.equal(onHost('ss -Hltn sport = :8080'), '')
    assert.equal(onHost(`cat /proc/sys/net/ipv4/conf/${host.test.options.bridge}/route_localnet`), '0\n')
  })
})
