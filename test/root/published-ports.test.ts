import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { createSandbox, removeSandbox } from '@engine/network'
import type { ContainerConfig, HostConfig } from '@engine/engine'
import { openTestEngine, removal, type TestEngine } from '../harness/engine.ts'
import { enterPrivateHost, inSandbox, onHost, serveIn, until } from '../harness/network-host.ts'

const hostAddress = '198.51.100.1'
const hostAddress6 = '2001:db8:51::1'
const outside = `/run/engine-test-outside-${process.pid}`
/** Seconds that are enough to see that no answer comes: all links are local. */
const short = 0.6

let test: TestEngine
const ended: (() => Promise<void>)[] = []

before(async () => {
  await enterPrivateHost()
  await createSandbox(outside)
  onHost(`ip link add uplink0 type veth peer name out0 && ip link set out0 netns ${outside}`)
  onHost(`ip address add ${hostAddress}/24 dev uplink0 && ip address add ${hostAddress6}/64 dev uplink0 nodad && ip link set uplink0 up`)
  inSandbox(outside, 'ip address add 198.51.100.2/24 dev out0 && ip address add 2001:db8:51::2/64 dev out0 nodad && ip link set out0 up')
  test = await openTestEngine({ after: (work) => void ended.push(work) })
})

after(async () => {
  for (const work of ended) await work()
  removeSandbox(outside)
  rmSync(outside, { force: true })
})

/** A running container on the bridge; it goes at the end of the scope. */
async function container(host: HostConfig, config: ContainerConfig = {}) {
  const bindings = host.PortBindings ?? {}
  const exposed = Object.fromEntries(Object.keys(bindings).map((port) => [port, {}]))
  const id = await test.create(['sleep', '1000'], { NetworkMode: 'bridge', ...host }, { ExposedPorts: exposed, ...config })
  try {
    await test.engine.containers.start(id)
  } catch (error) {
    await test.engine.containers.remove(id, removal)
    throw error
  }
  const { NetworkSettings } = await test.engine.containers.inspect(id, { size: false })
  return {
    id,
    ports: NetworkSettings.Ports,
    address: NetworkSettings.IPAddress,
    gateway: NetworkSettings.Gateway,
    sandbox: NetworkSettings.SandboxKey,
    [Symbol.asyncDispose]: () => test.engine.containers.remove(id, removal),
  }
}

const published = (containerPort: string, ...places: readonly [ip: string, port: string][]): HostConfig => ({
  PortBindings: { [containerPort]: places.map(([HostIp, HostPort]) => ({ HostIp, HostPort })) },
})

/** Runs bash on the host (undefined) or in a namespace, while this process serves relayed connections; undefined when it fails. */
function bash(from: string | undefined, script: string, seconds: number): Promise<string | undefined> {
  const command = ['timeout', String(seconds), 'bash', '-c', script]
  const [program = '', ...args] = from === undefined ? command : ['nsenter', `--net=${from}`, ...command]
  return new Promise((resolve) => execFile(program, args, (error, stdout) => resolve(error === null ? stdout.trim() || undefined : undefined)))
}

/** What a TCP server answers: the client's address as it sees it; undefined without an answer. */
const ask = (from: string | undefined, address: string, port: number, seconds = 5): Promise<string | undefined> =>
  bash(from, `exec 3<>/dev/tcp/${address}/${port} && cat <&3`, seconds)

/** The same of UDP. */
const askUdp = (from: string | undefined, address: string, port: number, seconds = 5): Promise<string | undefined> =>
  bash(from, `exec 3<>/dev/udp/${address}/${port}; echo >&3; dd bs=1500 count=1 status=none <&3`, seconds)

async function serveUdp(sandbox: string, port: number): Promise<Disposable> {
  const code = `const s=require('node:dgram').createSocket('udp4');s.on('message',(m,r)=>s.send(r.address+'\\n',r.port,r.address));s.bind(${port},()=>console.log('up'))`
  const server = spawn('nsenter', [`--net=${sandbox}`, process.execPath, '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve) => server.stdout.once('data', () => resolve()))
  return { [Symbol.dispose]: () => void server.kill('SIGKILL') }
}

const table = (): string => onHost(`nft list table inet ${test.options.nftablesTable}`)

describe('a published port', () => {
  it('is reached by loopback, by the host\'s address, by other containers, by its own, and from outside with the client\'s address', async () => {
    await using web = await container(published('80/tcp', ['', '8080'], ['127.0.0.1', '8081']))
    await using neighbour = await container({})
    using _server = await serveIn(web.sandbox, 80)
    assert.equal(await ask(undefined, '127.0.0.1', 8080), web.gateway)
    assert.equal(await ask(undefined, '127.0.0.1', 8081), web.gateway)
    assert.equal(await ask(undefined, '127.9.9.9', 8080), web.gateway)
    assert.equal(await ask(undefined, hostAddress, 8080), hostAddress)
    assert.equal(await ask(neighbour.sandbox, hostAddress, 8080), web.gateway)
    assert.equal(await ask(neighbour.sandbox, web.gateway, 8080), web.gateway)
    assert.equal(await ask(web.sandbox, hostAddress, 8080), web.gateway)
    assert.equal(await ask(outside, hostAddress, 8080), '198.51.100.2')
  })

  it('lets nobody to other ports, nor from outside to what is published on loopback', async () => {
    await using web = await container(published('80/tcp', ['127.0.0.1', '8081'], [hostAddress, '8082']))
    using _server = await serveIn(web.sandbox, 80)
    using _other = await serveIn(web.sandbox, 81)
    assert.equal(await ask(undefined, '127.0.0.1', 8081), web.gateway)
    assert.equal(await ask(outside, hostAddress, 8082), '198.51.100.2')
    assert.equal(await ask(undefined, '127.0.0.1', 8082), undefined)
    inSandbox(outside, `ip route replace ${web.address} via ${hostAddress} && ip address flush dev lo && ip route replace 127.0.0.1 via ${hostAddress} dev out0 src 198.51.100.2 && ip route flush table local root 127.0.0.0/8`)
    onHost('echo 1 >/proc/sys/net/ipv4/conf/uplink0/route_localnet')
    inSandbox(outside, 'echo 1 >/proc/sys/net/ipv4/conf/out0/route_localnet')
    assert.equal(await ask(outside, '127.0.0.1', 8081, short), undefined)
    assert.equal(await ask(outside, web.address, 80, short), undefined)
    assert.equal(await ask(outside, web.address, 81, short), undefined)
    assert.equal(await ask(outside, hostAddress, 81, short), undefined)
    inSandbox(outside, 'ip route delete 127.0.0.1; ip link set lo down; ip link set lo up')
    onHost('echo 0 >/proc/sys/net/ipv4/conf/uplink0/route_localnet')
  })

  it('keeps the host\'s own loopback from containers', async () => {
    await using web = await container(published('80/tcp', ['', '8080']))
    using _host = await serveIn(undefined, 9999)
    assert.equal(onHost(`cat /proc/sys/net/ipv4/conf/${test.options.bridge}/route_localnet`), '1\n')
    inSandbox(web.sandbox, `ip link set lo down && ip route replace 127.0.0.1 via ${web.gateway} dev eth0 && ip route flush table local root 127.0.0.0/8 && echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet`)
    const arrived = async (): Promise<boolean> => {
      await ask(web.sandbox, '127.0.0.1', 9999, short)
      return onHost('ss -Htn state syn-recv state established sport = :9999') !== ''
    }
    assert.equal(await arrived(), false)
    onHost(`nft flush chain inet ${test.options.nftablesTable} loopback`)
    assert.equal(await arrived(), true, 'it is the rule that keeps it out')
    await test.reopen()
    assert.match(table(), /iifname @sources ip daddr 127\.0\.0\.0\/8 drop/)
  })

  it('is reached over IPv6, though the container has none', async () => {
    await using web = await container(published('80/tcp', ['', '8080'], ['::1', '8081']))
    using _server = await serveIn(web.sandbox, 80)
    assert.equal(await ask(undefined, '::1', 8080), web.gateway)
    assert.equal(await ask(undefined, '::1', 8081), web.gateway)
    assert.equal(await ask(undefined, hostAddress6, 8080), web.gateway)
    assert.equal(await ask(outside, hostAddress6, 8080), web.gateway)
    assert.equal(await ask(outside, hostAddress6, 8081, short), undefined)
    const relay = /redirect to :(\d+)/.exec(table())?.[1]
    assert.equal(await ask(outside, hostAddress6, Number(relay), short), undefined)
  })

  it('carries UDP', async () => {
    await using dns = await container(published('53/udp', ['', '5300']))
    using _server = await serveUdp(dns.sandbox, 53)
    assert.equal(await askUdp(undefined, '127.0.0.1', 5300), dns.gateway)
    assert.equal(await askUdp(outside, hostAddress, 5300), '198.51.100.2')
  })

  it('carries UDP over IPv6 to a container without it, and answers from the address that was asked', async () => {
    const other = '2001:db8:51::9'
    onHost(`ip address add ${other}/64 dev uplink0 nodad preferred_lft 0`)
    {
      await using dns = await container(published('53/udp', ['', '5302'], [hostAddress6, '5303']))
      using _server = await serveUdp(dns.sandbox, 53)
      assert.deepEqual(dns.ports['53/udp']?.map(({ HostIp }) => HostIp), ['0.0.0.0', '::', hostAddress6])
      // The client's socket is connected: what comes from elsewhere is none of its answers.
      for (const [from, address] of [[undefined, '::1'], [outside, hostAddress6], [outside, other]] as const) assert.equal(await askUdp(from, address, 5302), dns.gateway, address)
      assert.equal(await askUdp(outside, hostAddress6, 5303), dns.gateway)
      assert.equal(await askUdp(outside, other, 5303, short), undefined)
      await test.reopen()
      // The relay's thread begins anew.
      assert.equal(await askUdp(outside, hostAddress6, 5302, 20), dns.gateway)
    }
    assert.equal(onHost('ss -Hlun sport = :5302'), '')
    await using again = await container(published('53/udp', ['', '5302']))
    using _server = await serveUdp(again.sandbox, 53)
    assert.equal(await askUdp(outside, hostAddress6, 5302), again.gateway)
    onHost(`ip address delete ${other}/64 dev uplink0`)
  })

  it('carries much over IPv6, to both sides, and ends as its ends do', async () => {
    await using web = await container(published('80/tcp', ['', '8080'], ['', '8088']))
    // Sends back what came, and then says how much it was: it goes on after the client has ended.
    const code = "const z=require('node:net').createServer({allowHalfOpen:true},(s)=>{let n=0;s.on('error',()=>{});s.on('data',(d)=>{n+=d.length;if(!s.write(d)){s.pause();s.once('drain',()=>s.resume())}});s.on('end',()=>s.end('|'+n))}).listen(80,'0.0.0.0',()=>console.log('up'))"
    const server = spawn('nsenter', [`--net=${web.sandbox}`, process.execPath, '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((resolve) => server.stdout.once('data', () => resolve()))
    try {
      const amount = 24 << 20
      const block = randomBytes(1 << 20)
      const there = createHash('sha256')
      const back = createHash('sha256')
      const socket = connect({ host: '::1', port: 8080, allowHalfOpen: true })
      let [came, tail] = [0, '']
      socket.on('data', (data: Buffer) => {
        const own = data.subarray(0, Math.max(0, amount - came))
        back.update(own)
        tail += data.subarray(own.length).toString()
        came += data.length
      })
      const ended = new Promise((resolve, reject) => socket.once('end', resolve).once('error', reject))
      for (let sent = 0; sent < amount; sent += block.length) {
        there.update(block)
        if (!socket.write(block)) await new Promise((resolve) => socket.once('drain', resolve))
      }
      socket.end()
      await ended
      assert.equal(tail, `|${amount}`)
      assert.equal(back.digest('hex'), there.digest('hex'))
    } finally {
      server.kill('SIGKILL')
    }
    // Nobody listens: the client is refused, it does not wait.
    await until(() => onHost(`nsenter --net=${web.sandbox} ss -Hltn sport = :80`) === '')
    const why = await new Promise((resolve) => connect({ host: '::1', port: 8088 }).once('error', resolve).once('end', () => resolve('an orderly end')))
    assert.match(String(why), /ECONNRESET|ECONNREFUSED/)
    await until(() => onHost('ss -Htn state established sport = :8080 or dport = :8080') === '')
  })

  it('takes clients of UDP that were there before it, and forgets them when it goes', async () => {
    const tracked = (): boolean => /udp .*dport=5301/.test(onHost('cat /proc/net/nf_conntrack'))
    const client = bash(outside, `exec 3<>/dev/udp/${hostAddress}/5301; while :; do echo >&3; timeout 0.3 dd bs=1500 count=1 status=none <&3 2>/dev/null && exit 0; sleep 0.05; done`, 20)
    await until(tracked)
    {
      await using dns = await container(published('53/udp', ['', '5301']))
      using _server = await serveUdp(dns.sandbox, 53)
      assert.equal(await client, '198.51.100.2')
    }
    await until(() => !tracked())
  })

  it('is there again when somebody has flushed the firewall', async () => {
    await using web = await container(published('80/tcp', ['', '8080']))
    using _server = await serveIn(web.sandbox, 80)
    const rules = (): string => onHost('nft list ruleset')
    // A set's elements are listed in any order.
    const words = (text: string): string[] => text.split(/[\s,]+/).sort()
    const before = rules()
    onHost('nft flush ruleset')
    await until(() => rules() !== '')
    assert.deepEqual(words(rules()), words(before))
    assert.equal(await ask(outside, hostAddress, 8080), '198.51.100.2')
    assert.ok(test.troubles.some((trouble) => trouble.includes('somebody flushed the firewall')))
    onHost("nft 'flush ruleset; add table inet own; add chain inet own c { type filter hook input priority 0; policy accept; }'")
    await until(() => rules().includes(test.options.nftablesTable))
    assert.match(rules(), /table inet own/)
    onHost('nft delete table inet own')
  })

  it('is shown as the host\'s, and kept from other programs', async () => {
    await using web = await container(published('80/tcp', ['', '8080']))
    assert.match(onHost('ss -Hltn sport = :8080'), /0\.0\.0\.0:8080 .*\n.*\[::\]:8080 /)
    assert.deepEqual(web.ports, { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }, { HostIp: '::', HostPort: '8080' }] })
    const [summary] = await test.engine.containers.list({ all: false, size: false, filters: new Map([['publish', ['8080']]]) })
    assert.deepEqual(summary?.Ports, [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }, { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }])
  })

  it('is found by itself where none is named', async () => {
    using _busy = await serveIn(undefined, 32768)
    onHost('echo "32768 60999" >/proc/sys/net/ipv4/ip_local_port_range')
    await using all = await container({ PublishAllPorts: true }, { ExposedPorts: { '80/tcp': {}, '53/udp': {} } })
    await using choice = await container({ PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '9000-9001' }], '81/tcp': [{ HostIp: '', HostPort: '9000-9001' }] } })
    assert.notEqual(all.ports['80/tcp']?.[0]?.HostPort, '32768')
    for (const places of Object.values(all.ports)) assert.ok(Number(places?.[0]?.HostPort) >= 32768 && places?.[0]?.HostPort === places?.[1]?.HostPort)
    assert.deepEqual(Object.values(choice.ports).map((places) => places?.[0]?.HostPort).toSorted(), ['9000', '9001'])
    await assert.rejects(container(published('80/tcp', ['', '9000-9001'])), /failed programming external connectivity on endpoint \S+ \([0-9a-f]{64}\): all ports are allocated/)
  })

  it('is refused when it is taken, and leaves nothing', async () => {
    await using _first = await container(published('80/tcp', ['', '8080']))
    using _busy = await serveIn(undefined, 8090)
    const rules = table()
    await assert.rejects(container(published('80/tcp', ['127.0.0.1', '8080'])), /Bind for 0\.0\.0\.0:8080 failed: port is already allocated/)
    await assert.rejects(container(published('80/tcp', ['', '8070'], ['', '8090'])), /failed to bind host port for 0\.0\.0\.0:8090:[0-9.]+:80\/tcp: address already in use/)
    await assert.rejects(container(published('80/tcp', ['203.0.113.7', '8090'])), /cannot assign requested address/)
    await assert.rejects(container(published('80/foo', ['', '8090'])), /unknown protocol/)
    await assert.rejects(test.create(['true'], { NetworkMode: 'bridge', ...published('80/tcp', ['', '70000']) }), { message: 'invalid port specification: "70000"' })
    assert.equal(table(), rules)
    assert.equal(onHost('ss -Hltn sport = :8070'), '')
    await using _again = await container(published('80/tcp', ['', '8070']))
  })

  it('is gone when its container is', async () => {
    {
      await using web = await container(published('80/tcp', ['', '8080']))
      using _server = await serveIn(web.sandbox, 80)
      assert.equal(await ask(outside, hostAddress, 8080), '198.51.100.2')
    }
    assert.doesNotMatch(table(), /8080/)
    assert.equal(await ask(outside, hostAddress, 8080, short), undefined)
    assert.equal(onHost('ss -Hltn sport = :8080'), '')
    assert.equal(onHost(`cat /proc/sys/net/ipv4/conf/${test.options.bridge}/route_localnet`), '0\n')
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
    await using range = await container(many(20_000))
    using _server = await serveIn(range.sandbox, 23_456)
    assert.match(table(), /map ranges4 \{[^}]*elements = \{ 0\.0\.0\.0\/0 \. tcp \. 20000-29999 : [0-9.]+ \}/)
    assert.equal(await ask(outside, hostAddress, 23_456), '198.51.100.2')
    assert.equal(await ask(undefined, '::1', 23_456), range.gateway)
    assert.ok(processes() <= before + 2, `${processes()} processes, ${before} before`)
    await assert.rejects(container(published('80/tcp', ['', '29999'])), /port is already allocated/)
  })

  it('are found to be taken by another program', async () => {
    using _busy = await serveIn(undefined, 27_777)
    await assert.rejects(container(many(20_000)), /failed to bind host port for 0\.0\.0\.0:27777:[0-9.]+:27777\/tcp: address already in use/)
  })

  it('may lead to other numbers', async () => {
    await using range = await container(many(30_000))
    using _server = await serveIn(range.sandbox, 33_456)
    assert.equal(await ask(outside, hostAddress, 23_456), '198.51.100.2')
  })
})

describe('an engine that comes back', () => {
  it('has the same ports open, and no others', async () => {
    await using web = await container(published('80/tcp', ['', '8080']))
    using _server = await serveIn(web.sandbox, 80)
    await test.close()
    assert.equal(await ask(outside, hostAddress, 8080), '198.51.100.2')
    const name = test.options.nftablesTable
    onHost(`nft 'delete element inet ${name} any4 { tcp . 8080 }; add element inet ${name} any4 { tcp . 7070 : ${web.address} . 80 }'`)
    assert.equal(await ask(outside, hostAddress, 8080, short), undefined)
    await test.reopen()
    assert.equal(await ask(outside, hostAddress, 8080), '198.51.100.2')
    assert.equal(await ask(undefined, '::1', 8080), web.gateway)
    assert.equal(await ask(undefined, '127.0.0.1', 8080), web.gateway)
    assert.doesNotMatch(table(), /7070/)
    await assert.rejects(container(published('80/tcp', ['', '8080'])), /port is already allocated/)
    await until(() => onHost('ss -Hltn sport = :8080') !== '')
  })
})
