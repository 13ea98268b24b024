import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { createSandbox, removeSandbox } from '@engine/network'
import { openTestEngine, removal, type TestEngine } from '../harness/engine.ts'
import { enterPrivateHost, inSandbox, onHost, until } from '../harness/network-host.ts'

/** A router between the host and an outside client: it routes the containers' subnets to the host, whether it should or not. */
const router = `/run/engine-test-router-${process.pid}`
const outside = `/run/engine-test-beyond-${process.pid}`
const host = { ipv4: '198.51.100.1', ipv6: '2001:db8:51::1' }
const client = { ipv4: '203.0.113.2', ipv6: '2001:db8:113::2' }
const subnets = { ipv4: '10.91.0.0/24', ipv6: 'fd00:91::/64' }
/** Seconds that are enough to see that no answer comes: all links are local. */
const short = 0.8

let test: TestEngine
const ended: (() => Promise<void>)[] = []

before(async () => {
  await enterPrivateHost()
  await createSandbox(router)
  await createSandbox(outside)
  onHost(`ip link add uplink0 type veth peer name down0 && ip link set down0 netns ${router}`)
  onHost(`ip address add ${host.ipv4}/24 dev uplink0 && ip address add ${host.ipv6}/64 dev uplink0 nodad && ip link set uplink0 up`)
  inSandbox(router, 'echo 1 >/proc/sys/net/ipv4/ip_forward && echo 1 >/proc/sys/net/ipv6/conf/all/forwarding')
  inSandbox(router, `ip link add up0 type veth peer name out0 && ip link set out0 netns ${outside}`)
  inSandbox(router, 'ip address add 198.51.100.254/24 dev down0 && ip address add 2001:db8:51::fe/64 dev down0 nodad && ip link set down0 up')
  inSandbox(router, 'ip address add 203.0.113.1/24 dev up0 && ip address add 2001:db8:113::1/64 dev up0 nodad && ip link set up0 up')
  inSandbox(router, `ip route add ${subnets.ipv4} via ${host.ipv4} && ip -6 route add ${subnets.ipv6} via ${host.ipv6}`)
  inSandbox(outside, `ip address add ${client.ipv4}/24 dev out0 && ip address add ${client.ipv6}/64 dev out0 nodad && ip link set out0 up && ip route add default via 203.0.113.1 && ip -6 route add default via 2001:db8:113::1`)
  onHost('ip route add default via 198.51.100.254 && ip -6 route add default via 2001:db8:51::fe')
  test = await openTestEngine({ after: (work) => void ended.push(work) })
})

after(async () => {
  for (const work of ended) await work()
  for (const path of [outside, router]) {
    removeSandbox(path)
    rmSync(path, { force: true })
  }
})

/** A network of both families with these modes, and a container on it that publishes port 80 of TCP and 53 of UDP. */
async function publishing(mode4: string, mode6: string, more: { readonly icc?: boolean; readonly options?: Readonly<Record<string, string>> } = {}) {
  const { Id } = await test.engine.networks.create({
    Name: 'modes', EnableIPv6: true, IPAM: { Config: [{ Subnet: subnets.ipv4 }, { Subnet: subnets.ipv6 }] },
    Options: { 'com.docker.network.bridge.gateway_mode_ipv4': mode4, 'com.docker.network.bridge.gateway_mode_ipv6': mode6, ...(more.icc === false ? { 'com.docker.network.bridge.enable_icc': 'false' } : {}), ...more.options },
  })
  const id = await test.create(['sleep', '1000'], { NetworkMode: 'modes', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }], '53/udp': [{ HostIp: '', HostPort: '5300' }] } }, { ExposedPorts: { '80/tcp': {}, '53/udp': {} } })
  await test.engine.containers.start(id)
  const { NetworkSettings } = await test.engine.containers.inspect(id, { size: false })
  const endpoint = NetworkSettings.Networks['modes']
  return {
    id, ports: NetworkSettings.Ports, sandbox: NetworkSettings.SandboxKey, address: endpoint?.IPAddress ?? '', address6: endpoint?.GlobalIPv6Address ?? '', gateway: endpoint?.Gateway ?? '', gateway6: endpoint?.IPv6Gateway ?? '',
    [Symbol.asyncDispose]: async () => {
      await test.engine.containers.remove(id, removal)
      await test.engine.networks.remove(Id)
    },
  }
}

/** Servers of TCP and UDP, of both families, that tell a client its address. */
async function serve(sandbox: string, tcp: readonly number[], udp: readonly number[]): Promise<Disposable> {
  const code = `for(const p of ${JSON.stringify(tcp)})require('node:net').createServer((s)=>s.on('error',()=>{}).end(s.remoteAddress.replace('::ffff:',''))).listen(p,'::');for(const p of ${JSON.stringify(udp)}){const s=require('node:dgram').createSocket('udp6');s.on('message',(m,r)=>s.send(r.address.replace('::ffff:',''),r.port,r.address));s.bind(p,'::')}setTimeout(()=>console.log('up'),50)`
  const server = spawn('nsenter', [`--net=${sandbox}`, process.execPath, '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve) => server.stdout.once('data', () => resolve()))
  return { [Symbol.dispose]: () => void server.kill('SIGKILL') }
}

/** What a server of bash's /dev/tcp or /dev/udp answers to a client in a namespace (undefined: the host). */
function ask(from: string | undefined, protocol: 'tcp' | 'udp', address: string, port: number, seconds = 15): Promise<string | undefined> {
  const script = protocol === 'tcp' ? `exec 3<>/dev/tcp/${address}/${port} && cat <&3` : `exec 3<>/dev/udp/${address}/${port}; echo >&3; dd bs=1500 count=1 status=none <&3`
  const command = ['timeout', String(seconds), 'bash', '-c', script]
  const [program = '', ...args] = from === undefined ? command : ['nsenter', `--net=${from}`, ...command]
  return new Promise((resolve) => execFile(program, args, (error, stdout) => resolve(error === null ? stdout.trim() || undefined : undefined)))
}

describe('an outside client behind a router that routes the containers\' subnets', () => {
  it('reaches published ports of a network of mode nat by the host, with its own address, and nothing else', async () => {
    await using web = await publishing('nat', 'nat')
    using _server = await serve(web.sandbox, [80, 81], [53, 54])
    assert.deepEqual(web.ports['80/tcp'], [{ HostIp: '0.0.0.0', HostPort: '8080' }, { HostIp: '::', HostPort: '8080' }])
    for (const family of ['ipv4', 'ipv6'] as const) {
      assert.equal(await ask(outside, 'tcp', host[family], 8080), client[family])
      assert.equal(await ask(outside, 'udp', host[family], 5300), client[family])
      const own = family === 'ipv4' ? web.address : web.address6
      const refused = await Promise.all([ask(outside, 'tcp', own, 80, short), ask(outside, 'tcp', own, 81, short), ask(outside, 'udp', own, 54, short), ask(outside, 'tcp', host[family], 81, short)])
      assert.deepEqual(refused, [undefined, undefined, undefined, undefined], family)
    }
  })

  it('reaches every port of a network of mode nat by a link that the network trusts', async () => {
    await using web = await publishing('nat', 'nat', { options: { 'com.docker.network.bridge.trusted_host_interfaces': 'other0:uplink0' } })
    using _server = await serve(web.sandbox, [81], [54])
    for (const family of ['ipv4', 'ipv6'] as const) {
      const own = family === 'ipv4' ? web.address : web.address6
      assert.equal(await ask(outside, 'tcp', own, 81), client[family])
      assert.equal(await ask(outside, 'udp', own, 54), client[family])
    }
  })

  it('sees containers under the address of the host\'s that their network names, or their own without masquerading', async () => {
    const named = { ipv4: '198.51.100.77', ipv6: '2001:db8:51::77' }
    onHost(`ip address add ${named.ipv4}/24 dev uplink0 && ip address add ${named.ipv6}/64 dev uplink0 nodad preferred_lft 0`)
    using _server = await serve(outside, [9000], [])
    for (const [options, seen] of [
      [{}, host],
      [{ 'com.docker.network.host_ipv4': named.ipv4, 'com.docker.network.host_ipv6': named.ipv6 }, named],
      [{ 'com.docker.network.bridge.enable_ip_masquerade': 'false' }, undefined],
    ] as const) {
      await using web = await publishing('nat', 'nat', { options })
      for (const family of ['ipv4', 'ipv6'] as const) assert.equal(await ask(web.sandbox, 'tcp', client[family], 9000), seen?.[family] ?? (family === 'ipv4' ? web.address : web.address6))
    }
    onHost(`ip address del ${named.ipv4}/24 dev uplink0 && ip address del ${named.ipv6}/64 dev uplink0`)
  })

  it('reaches every port of a network of mode nat-unprotected', async () => {
    await using web = await publishing('nat-unprotected', 'nat-unprotected')
    using _server = await serve(web.sandbox, [80, 81], [54])
    for (const family of ['ipv4', 'ipv6'] as const) {
      const own = family === 'ipv4' ? web.address : web.address6
      assert.equal(await ask(outside, 'tcp', host[family], 8080), client[family])
      assert.equal(await ask(outside, 'tcp', own, 81), client[family])
      assert.equal(await ask(outside, 'udp', own, 54), client[family])
    }
  })

  it('reaches published ports of a network of mode routed by the container\'s own address, and no others', async () => {
    await using web = await publishing('routed', 'routed')
    using _server = await serve(web.sandbox, [80, 81], [53, 54])
    assert.deepEqual(web.ports, { '53/udp': [{ HostIp: '0.0.0.0', HostPort: '' }, { HostIp: '::', HostPort: '' }], '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '' }, { HostIp: '::', HostPort: '' }] })
    const [summary] = await test.engine.containers.list({ all: false, size: false, filters: new Map() })
    assert.deepEqual(summary?.Ports.at(-1), { IP: '::', PrivatePort: 80, Type: 'tcp' })
    assert.equal(onHost('ss -Hltun sport = :8080 or sport = :5300'), '')
    for (const family of ['ipv4', 'ipv6'] as const) {
      const own = family === 'ipv4' ? web.address : web.address6
      assert.equal(await ask(outside, 'tcp', own, 80), client[family])
      assert.equal(await ask(outside, 'udp', own, 53), client[family])
      const refused = await Promise.all([ask(outside, 'tcp', own, 81, short), ask(outside, 'udp', own, 54, short), ask(outside, 'tcp', host[family], 8080, short), ask(undefined, 'tcp', family === 'ipv4' ? '127.0.0.1' : '::1', 8080, short)])
      assert.deepEqual(refused, [undefined, undefined, undefined, undefined], family)
      // What goes out is not translated either.
      using _beyond = await serve(outside, [7000], [])
      assert.equal(await ask(web.sandbox, 'tcp', client[family], 7000), own)
    }
    await test.reopen()
    assert.equal(await ask(outside, 'tcp', web.address6, 80), client.ipv6)
    await test.engine.containers.stop(web.id, { timeout: 0 })
    assert.doesNotMatch(onHost(`nft list table inet ${test.options.nftablesTable}`), /fd00:91::.* tcp/)
  })

  it('finds one family translated and the other routed where the modes differ', async () => {
    await using web = await publishing('nat', 'routed')
    using _server = await serve(web.sandbox, [80], [])
    assert.deepEqual(web.ports['80/tcp'], [{ HostIp: '0.0.0.0', HostPort: '8080' }, { HostIp: '::', HostPort: '' }])
    assert.equal(await ask(outside, 'tcp', host.ipv4, 8080), client.ipv4)
    assert.equal(await ask(outside, 'tcp', web.address6, 80), client.ipv6)
    assert.equal(await ask(outside, 'tcp', host.ipv6, 8080, short), undefined)
    assert.equal(await ask(outside, 'tcp', web.address, 80, short), undefined)
  })

  it('reaches a port that moves from network to network while its container runs', async () => {
    await using web = await publishing('nat', 'nat')
    using _server = await serve(web.sandbox, [80], [53])
    await test.engine.networks.connect('bridge', web.id, { GwPriority: 1 })
    assert.equal(await ask(outside, 'tcp', host.ipv4, 8080), client.ipv4)
    const there = (): string => /tcp \. 8080 : ([0-9.]+)/.exec(onHost(`nft list map inet ${test.options.nftablesTable} any4`))?.[1] ?? ''
    assert.notEqual(there(), web.address)
    // Who answers is in the second half of a line.
    const tracked = (address: string): boolean => onHost('cat /proc/net/nf_conntrack').split('\n').some((line) => line.lastIndexOf(`src=${address} `) > line.indexOf('dport='))
    await test.engine.networks.disconnect('bridge', web.id, false)
    assert.equal(there(), web.address)
    assert.equal(await ask(outside, 'tcp', host.ipv4, 8080), client.ipv4)
    assert.equal(await ask(outside, 'udp', host.ipv6, 5300), client.ipv6)
    // Its connections end with it, those of TCP too.
    assert.equal(tracked(web.address), true)
    await test.engine.containers.stop(web.id, { timeout: 0 })
    await until(() => !tracked(web.address), 20_000)
  })

  it('reaches a published port where containers are kept apart, and they reach it by the host alone', async () => {
    await using web = await publishing('nat', 'nat', { icc: false })
    using _server = await serve(web.sandbox, [80], [])
    const id = await test.create(['sleep', '1000'], { NetworkMode: 'modes' })
    await test.engine.containers.start(id)
    try {
      const { NetworkSettings: { SandboxKey } } = await test.engine.containers.inspect(id, { size: false })
      for (const family of ['ipv4', 'ipv6'] as const) {
        assert.equal(await ask(outside, 'tcp', host[family], 8080), client[family])
        assert.equal(await ask(SandboxKey, 'tcp', family === 'ipv4' ? web.address : web.address6, 80, short), undefined)
        assert.equal(await ask(SandboxKey, 'tcp', host[family], 8080), family === 'ipv4' ? web.gateway : web.gateway6)
      }
    } finally {
      await test.engine.containers.remove(id, removal)
    }
  })
})

describe('a network of mode isolated', () => {
  it('has no way to the host, and publishes nothing', async () => {
    const { Id } = await test.engine.networks.create({ Name: 'isolated', Internal: true, EnableIPv6: true, Options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated', 'com.docker.network.bridge.gateway_mode_ipv6': 'isolated' } })
    const start = async (): Promise<string> => {
      const id = await test.create(['sleep', '1000'], { NetworkMode: 'isolated', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } }, { ExposedPorts: { '80/tcp': {} } })
      await test.engine.containers.start(id)
      return id
    }
    const ids = [await start(), await start()]
    const [one, two] = await Promise.all(ids.map((id) => test.engine.containers.inspect(id, { size: false })))
    const [a, b] = [one?.NetworkSettings, two?.NetworkSettings]
    // Nobody is the router: the first address is a container's, and a port that is published nowhere is not shown.
    assert.deepEqual((await test.engine.networks.inspect('isolated')).IPAM.Config?.map(({ Gateway }) => Gateway), [undefined, undefined])
    assert.match(a?.Networks['isolated']?.IPAddress ?? '', /^\d+\.\d+\.\d+\.1$/)
    assert.match(a?.Networks['isolated']?.GlobalIPv6Address ?? '', /::1$/)
    assert.deepEqual(a?.Ports, {})
    using _server = await serve(b?.SandboxKey ?? '', [80], [])
    assert.equal(await ask(a?.SandboxKey, 'tcp', b?.Networks['isolated']?.IPAddress ?? '', 80), a?.Networks['isolated']?.IPAddress)
    assert.equal(onHost('ss -Hltn sport = :8080'), '')
    assert.equal(onHost(`ip -j address show dev br-${Id.slice(0, 12)}`).includes('"inet"'), false)
    assert.equal(inSandbox(a?.SandboxKey ?? '', 'ip route show default; ip -6 route show default'), '')
    for (const id of ids) await test.engine.containers.remove(id, removal)
    await test.engine.networks.remove(Id)
    await assert.rejects(test.engine.networks.create({ Name: 'isolated', Options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated' } }), { message: "gateway mode 'isolated' can only be used for an internal network" })
  })

  it('keeps the address of a gateway that the user names, and of one from before', async () => {
    const Options = { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated' }
    const Config = [{ Subnet: '10.92.0.0/24', Gateway: '10.92.0.1' }]
    const { Id } = await test.engine.networks.create({ Name: 'kept', Internal: true, IPAM: { Config }, Options })
    const id = await test.create(['sleep', '1000'], { NetworkMode: 'kept' })
    await test.engine.containers.start(id)
    assert.equal((await test.engine.containers.inspect(id, { size: false })).NetworkSettings.Networks['kept']?.IPAddress, '10.92.0.2')
    assert.deepEqual((await test.engine.networks.inspect('kept')).IPAM.Config, Config)
    await test.engine.containers.remove(id, removal)
    await test.engine.networks.remove(Id)
  })
})
