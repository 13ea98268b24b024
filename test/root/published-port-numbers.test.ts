import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { HostConfig } from '@engine/engine'
import { onHost, serveIn, short, until } from '../harness/network-host.ts'
import { ask, hostAddress, openPublishingHost, published, type PublishingHost } from '../harness/publishing-host.ts'

let host: PublishingHost

before(async () => {
  host = await openPublishingHost()
})

after(() => host[Symbol.asyncDispose]())

describe('a published port\'s number', () => {
  it('is shown as the host\'s, and kept from other programs', async () => {
    await using web = await host.container(published('80/tcp', ['', '8080']))
    assert.match(onHost('ss -Hltn sport = :8080'), /0\.0\.0\.0:8080 .*\n.*\[::\]:8080 /)
    assert.deepEqual(web.ports, { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }, { HostIp: '::', HostPort: '8080' }] })
    const [summary] = await host.test.engine.containers.list({ all: false, size: false, filters: new Map([['publish', ['8080']]]) })
    assert.deepEqual(summary?.Ports, [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }, { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }])
  })

  it('is found by itself where none is named', async () => {
    using _busy = await serveIn(undefined, 32768)
    onHost('echo "32768 60999" >/proc/sys/net/ipv4/ip_local_port_range')
    await using all = await host.container({ PublishAllPorts: true }, { ExposedPorts: { '80/tcp': {}, '53/udp': {} } })
    await using choice = await host.container({ PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '9000-9001' }], '81/tcp': [{ HostIp: '', HostPort: '9000-9001' }] } })
    assert.notEqual(all.ports['80/tcp']?.[0]?.HostPort, '32768')
    for (const places of Object.values(all.ports)) assert.ok(Number(places?.[0]?.HostPort) >= 32768 && places?.[0]?.HostPort === places?.[1]?.HostPort)
    assert.deepEqual(Object.values(choice.ports).map((places) => places?.[0]?.HostPort).toSorted(), ['9000', '9001'])
    await assert.rejects(host.container(published('80/tcp', ['', '9000-9001'])), /failed programming external connectivity on endpoint \S+ \([0-9a-f]{64}\): all ports are allocated/)
  })

  it('is refused when it is taken, and leaves nothing', async () => {
    await using _first = await host.container(published('80/tcp', ['', '8080']))
    using _busy = await serveIn(undefined, 8090)
    const rules = host.table()
    await assert.rejects(host.container(published('80/tcp', ['127.0.0.1', '8080'])), /Bind for 0\.0\.0\.0:8080 failed: port is already allocated/)
    await assert.rejects(host.container(published('80/tcp', ['', '8070'], ['', '8090'])), /failed to bind host port for 0\.0\.0\.0:8090:[0-9.]+:80\/tcp: address already in use/)
    await assert.rejects(host.container(published('80/tcp', ['203.0.113.7', '8090'])), /cannot assign requested address/)
    await assert.rejects(host.container(published('80/foo', ['', '8090'])), /unknown protocol/)
    await assert.rejects(host.test.create(['true'], { NetworkMode: 'bridge', ...published('80/tcp', ['', '70000']) }), { message: 'invalid port specification: "70000"' })
    assert.equal(host.table(), rules)
    assert.equal(onHost('ss -Hltn sport = :8070'), '')
    await using _again = await host.container(published('80/tcp', ['', '8070']))
  })
})

describe('ten thousand published ports', () => {
  const many = (containerFirst: number): HostConfig => ({
    PortBindings: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`${containerFirst + i}/tcp`, [{ HostIp: '', HostPort: String(20_000 + i) }]])),
  })

  it('cost one element, and no process', async () => {
    // Of this host, which is a namespace: others' come and go.
    const processes = (): number => Number(onHost('ls -l /proc/[0-9]*/ns/net 2>/dev/null | grep -cF "$(readlink /proc/self/ns/net)"'))
    const before = processes()
    await using range = await host.container(many(20_000))
    using _server = await serveIn(range.sandbox, 23_456)
    assert.match(host.table(), /map ranges4 \{[^}]*elements = \{ 0\.0\.0\.0\/0 \. tcp \. 20000-29999 : [0-9.]+ \}/)
    assert.equal(await ask(host.outside, hostAddress, 23_456), '198.51.100.2')
    assert.equal(await ask(undefined, '::1', 23_456), range.gateway)
    assert.ok(processes() <= before + 2, `${processes()} processes, ${before} before`)
    await assert.rejects(host.container(published('80/tcp', ['', '29999'])), /port is already allocated/)
  })

  it('are found to be taken by another program', async () => {
    using _busy = await serveIn(undefined, 27_777)
    await assert.rejects(host.container(many(20_000)), /failed to bind host port for 0\.0\.0\.0:27777:[0-9.]+:27777\/tcp: address already in use/)
  })

  it('may lead to other numbers', async () => {
    await using range = await host.container(many(30_000))
    using _server = await serveIn(range.sandbox, 33_456)
    assert.equal(await ask(host.outside, hostAddress, 23_456), '198.51.100.2')
  })
})

describe('an engine that comes back', () => {
  it('has the same ports open, and no others', async () => {
    await using web = await host.container(published('80/tcp', ['', '8080']))
    using _server = await serveIn(web.sandbox, 80)
    await host.test.close()
    assert.equal(await ask(host.outside, hostAddress, 8080), '198.51.100.2')
    const name = host.test.options.nftablesTable
    onHost(`nft 'delete element inet ${name} any4 { tcp . 8080 }; add element inet ${name} any4 { tcp . 7070 : ${web.address} . 80 }'`)
    assert.equal(await ask(host.outside, hostAddress, 8080, short), undefined)
    await host.test.reopen()
    assert.equal(await ask(host.outside, hostAddress, 8080), '198.51.100.2')
    assert.equal(await ask(undefined, '::1', 8080), web.gateway)
    assert.equal(await ask(undefined, '127.0.0.1', 8080), web.gateway)
    assert.doesNotMatch(host.table(), /7070/)
    await assert.rejects(host.container(published('80/tcp', ['', '8080'])), /port is already allocated/)
    await until(() => onHost('ss -Hltn sport = :8080') !== '')
  })
})
