import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import type { CreateNetwork, EndpointSettings } from '@engine/engine'
import { openTestEngine, removal, until } from '../harness/engine.ts'
import { inSandbox, succeedsIn } from '../harness/network-host.ts'

const world = openTestEngine({ after })
let counter = 0

/** A network of the test's own, in a /24 that no other test has. */
async function network(change: Partial<CreateNetwork> = {}): Promise<{ readonly name: string; readonly id: string; readonly net: string }> {
  const { engine, options } = await world
  const number = ++counter
  // Beside the daemon's own bridge, whose second number is from 120 on.
  const net = `10.${60 + (Number(options.bip?.split('.')[2]) % 50)}.${number}`
  const { Id } = await engine.networks.create({ Name: `net${number}`, IPAM: { Config: [{ Subnet: `${net}.0/24` }] }, ...change })
  return { name: `net${number}`, id: Id, net }
}

/** Makes and starts a container on networks. @returns its id, and its namespace's path */
async function on(endpoints: Readonly<Record<string, EndpointSettings>>, name?: string): Promise<{ readonly id: string; readonly path: string }> {
  const { engine } = await world
  const { Id: id } = await engine.containers.create({
    config: { Image: 'busybox', Cmd: ['sleep', '1000'] }, hostConfig: { NetworkMode: Object.keys(endpoints)[0] }, endpoints, name,
  })
  await engine.containers.start(id)
  return { id, path: (await engine.containers.inspect(id, { size: false })).NetworkSettings.SandboxKey }
}

async function settings(id: string) {
  return (await (await world).engine.containers.inspect(id, { size: false })).NetworkSettings
}

const host = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8' })

test('a network is a bridge with an address, until it is removed', async () => {
  const { engine } = await world
  const { name, id, net } = await network()
  const link = `br-${id.slice(0, 12)}`
  assert.match(host(`ip -4 address show ${link}`), new RegExp(`inet ${net}\\.1/24 `))
  await assert.rejects(engine.networks.create({ Name: name }), { code: 'conflict', message: `network with name ${name} already exists` })
  await engine.networks.remove(name)
  assert.equal(host(`ip link show ${link} 2>/dev/null || echo gone`), 'gone\n')
  assert.doesNotMatch(host('nft list ruleset'), new RegExp(link))
  await assert.rejects(engine.networks.inspect(name), { code: 'not-found' })
})

test('two networks of one container: each has its neighbours, one has the default route', async () => {
  const [a, b] = [await network(), await network()]
  const both = await on({ [a.name]: { Aliases: ['one'] }, [b.name]: { IPAMConfig: { IPv4Address: `${b.net}.77` }, MacAddress: '02:aa:bb:cc:dd:ee', GwPriority: 5 } })
  const [left, right] = [await on({ [a.name]: {} }), await on({ [b.name]: {} })]
  const seen = await settings(both.id)
  assert.equal(seen.Networks[b.name]?.IPAddress, `${b.net}.77`)
  assert.match(inSandbox(both.path, 'ip address show eth1'), new RegExp(`02:aa:bb:cc:dd:ee[^]*${b.net}\\.77/24`))
  assert.match(inSandbox(both.path, 'ip route show default'), new RegExp(`^default via ${b.net}\\.1 dev eth1`))
  assert.ok(succeedsIn(both.path, `busybox ping -c 1 -W 2 ${(await settings(left.id)).Networks[a.name]?.IPAddress}`))
  assert.ok(succeedsIn(both.path, `busybox ping -c 1 -W 2 ${(await settings(right.id)).Networks[b.name]?.IPAddress}`))
  assert.ok(!succeedsIn(left.path, `busybox ping -c 1 -W 1 ${(await settings(right.id)).Networks[b.name]?.IPAddress}`))
})

test('a running container comes and goes', async () => {
  const { engine, events } = await world
  const [a, b] = [await network(), await network()]
  const { id, path } = await on({ [a.name]: {} })
  const before = inSandbox(path, 'ip address; ip route')
  await engine.networks.connect(b.name, id, { Aliases: ['x'], GwPriority: 1 })
  assert.match(inSandbox(path, 'ip route show default'), new RegExp(`via ${b.net}\\.1 dev eth1`))
  const hostsPath = (await engine.containers.inspect(id, { size: false })).HostsPath
  const hosts = () => readFileSync(hostsPath, 'utf8')
  assert.match(hosts(), new RegExp(`${a.net}\\.2\\t.*\\n${b.net}\\.2\\t`))
  assert.deepEqual((await engine.networks.inspect(b.name)).Containers[id]?.IPv4Address, `${b.net}.2/24`)
  await assert.rejects(engine.networks.connect(b.name, id, {}), { code: 'forbidden', message: /^endpoint with name .* already exists in network / })
  await assert.rejects(engine.networks.remove(b.name), { code: 'forbidden', message: /has active endpoints \(name:".*" id:"[0-9a-f]{12}"\)$/ })
  await engine.networks.disconnect(b.name, id, false)
  assert.equal(inSandbox(path, 'ip address; ip route'), before)
  assert.doesNotMatch(hosts(), new RegExp(b.net))
  await engine.networks.remove(b.name)
  assert.deepEqual((await events(id)).filter((event) => event.startsWith('network')), ['network connect', 'network connect', 'network disconnect'])
})

test('what a stopped container is connected with stays, as with Docker; aliases and addresses on the default network are refused', async () => {
  const { engine, options } = await world
  const { name, net } = await network()
  const { Id: id } = await engine.containers.create({ config: { Image: 'busybox', Cmd: ['sleep', '1000'] }, hostConfig: { NetworkMode: name }, endpoints: { [name]: { Aliases: ['first'] } } })
  await engine.networks.connect(name, id, { Aliases: ['second'], IPAMConfig: { IPv4Address: `${net}.9` } })
  await engine.containers.start(id)
  const { Aliases, IPAddress } = (await settings(id)).Networks[name] ?? {}
  assert.deepEqual([Aliases, IPAddress], [['first'], `${net}.2`])
  await assert.rejects(engine.networks.connect('bridge', id, { Aliases: ['x'] }), { message: 'invalid endpoint settings:\nnetwork-scoped alias is supported only for containers in user defined networks' })
  const inside = options.bip?.replace(/\d+\/24/, '9') ?? ''
  await assert.rejects(engine.networks.connect('bridge', id, { IPAMConfig: { IPv4Address: inside } }), { message: 'invalid endpoint settings:\nuser specified IP address is supported on user defined networks only' })
  await engine.networks.disconnect(name, id, false)
  await assert.rejects(engine.networks.connect(name, id, { MacAddress: '01:00:5e:00:00:01' }), { code: 'invalid-argument', message: /^failed to add interface (veth\w+) to sandbox: error setting interface "\1" MAC to "01:00:5e:00:00:01": cannot assign requested address$/ })
  const linked = await engine.containers.create({ config: { Image: 'busybox', Cmd: ['true'] }, hostConfig: { NetworkMode: 'bridge', Links: [`${id}:x`] }, endpoints: {} })
  await assert.rejects(engine.containers.start(linked.Id), { message: `container ${id} not attached to default bridge network` })
  const hosted = await engine.containers.create({ config: { Image: 'busybox', Cmd: ['true'] }, hostConfig: { NetworkMode: 'host' }, endpoints: {} })
  await assert.rejects(engine.networks.disconnect('host', hosted.Id, false), { message: 'cannot disconnect container from host network - container was created in host network mode' })
  for (const one of [id, linked.Id, hosted.Id]) await engine.containers.remove(one, removal)
})

test('an internal network has no way out; a host does not speak for it', async () => {
  const { options } = await world
  const { net, name } = await network({ Internal: true })
  const { path } = await on({ [name]: {} })
  assert.equal(inSandbox(path, 'ip route show default'), '')
  inSandbox(path, `ip route add default via ${net}.1`)
  assert.ok(succeedsIn(path, `busybox ping -c 1 -W 2 ${net}.1`))
  const other = await on({ bridge: {} })
  const address = (await settings(other.id)).IPAddress
  assert.ok(!succeedsIn(path, `busybox ping -c 1 -W 1 ${address}`))
  assert.match(host(`nft list chain inet ${options.nftablesTable} forward`), /iifname vmap @internal/)
})

test('IPv6: own addresses, neighbours, no lies', async () => {
  const { engine } = await world
  const { name, id } = await network({ EnableIPv6: true })
  const [a, b] = [await on({ [name]: {} }), await on({ [name]: {} })]
  const view = (await engine.networks.inspect(name)).IPAM.Config ?? []
  assert.match(view[1]?.Subnet ?? '', /^fd[0-9a-f]{2}:[0-9a-f]+:[0-9a-f]+:?[0-9a-f]*::\/64$/)
  const address = (await settings(b.id)).Networks[name]?.GlobalIPv6Address ?? ''
  assert.ok(address !== '')
  assert.ok(succeedsIn(a.path, `busybox ping6 -c 1 -W 3 ${address}`))
  assert.match(inSandbox(a.path, 'ip -6 route show default'), /^default via fd.*::1 dev eth0/)
  // An address that it was not given gets no answer, and its neighbour's cannot be claimed.
  inSandbox(a.path, `ip -6 address add ${address.replace(/::.*/, '::bad')}/64 dev eth0 nodad`)
  assert.ok(!succeedsIn(a.path, `busybox ping6 -I ${address.replace(/::.*/, '::bad')} -c 1 -W 1 ${address}`))
  assert.equal(host(`cat /proc/sys/net/ipv6/conf/br-${id.slice(0, 12)}/accept_ra`), '0\n')
})

test('IPv6 alone', async () => {
  const { name } = await network({ EnableIPv4: false, EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fdff:6::/64', Gateway: 'fdff:6::7' }] } })
  const { path, id } = await on({ [name]: {} })
  assert.equal(inSandbox(path, 'ip -4 address show eth0'), '')
  assert.ok(succeedsIn(path, 'busybox ping6 -c 1 -W 3 fdff:6::7'))
  assert.equal((await settings(id)).Networks[name]?.IPv6Gateway, 'fdff:6::7')
})

test('icc, mtu, names, ranges, sysctls', async () => {
  const { name, net } = await network({ Options: { 'com.docker.network.bridge.enable_icc': 'false', 'com.docker.network.driver.mtu': '1333', 'com.docker.network.container_iface_prefix': 'lan' } })
  const [a, b] = [await on({ [name]: { DriverOpts: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1' } } }), await on({ [name]: { DriverOpts: { 'com.docker.network.endpoint.ifname': 'special' } } })]
  assert.match(inSandbox(a.path, 'ip link show lan0'), /mtu 1333/)
  assert.equal(inSandbox(a.path, 'cat /proc/sys/net/ipv4/conf/lan0/log_martians'), '1\n')
  assert.match(inSandbox(b.path, 'ip address show special'), new RegExp(`inet ${net}`))
  assert.ok(!succeedsIn(a.path, `busybox ping -c 1 -W 1 ${(await settings(b.id)).Networks[name]?.IPAddress}`))
  const ranged = await network()
  await (await world).engine.networks.remove(ranged.name)
  const again = await network({ IPAM: { Config: [{ Subnet: `${ranged.net}.0/24`, IPRange: `${ranged.net}.128/25`, Gateway: `${ranged.net}.254`, AuxiliaryAddresses: { router: `${ranged.net}.128` } }] } })
  const c = await on({ [again.name]: {} })
  assert.equal((await settings(c.id)).Networks[again.name]?.IPAddress, `${ranged.net}.129`)
  assert.match(inSandbox(c.path, 'ip route show default'), new RegExp(`via ${ranged.net}\\.254`))
})

test('routers that are not the bridge, and addresses of the link', async () => {
  const { engine } = await world
  const inhibited = await network({ Options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' } })
  const first = await on({ [inhibited.name]: { IPAMConfig: { LinkLocalIPs: ['169.254.7.7', 'fe80::77'] } } })
  assert.equal(host(`ip -4 -o address show br-${inhibited.id.slice(0, 12)}`), '')
  assert.match(inSandbox(first.path, 'ip route show default'), new RegExp(`^default via ${inhibited.net}\\.1 `))
  assert.match(inSandbox(first.path, 'ip -o address show eth0'), /169\.254\.7\.7\/16[^]*fe80::77\/64/)
  await assert.rejects(on({ [inhibited.name]: { IPAMConfig: { LinkLocalIPs: ['10.1.1.1'] } } }), { message: `invalid config for network ${inhibited.name}: invalid endpoint settings:\ninvalid link-local IP address: 10.1.1.1` })
  const { net } = inhibited
  await engine.containers.remove(first.id, removal)
  await engine.networks.remove(inhibited.name)
  const routed = await network({ IPAM: { Config: [{ Subnet: `${net}.0/24`, AuxiliaryAddresses: { DefaultGatewayIPv4: `${net}.9`, other: `${net}.2` } }] } })
  const second = await on({ [routed.name]: {} })
  assert.match(inSandbox(second.path, 'ip route show default; ip -4 -o address show eth0'), new RegExp(`^default via ${net}\\.9 [^]*${net}\\.3/24`))
  assert.equal((await settings(second.id)).Networks[routed.name]?.Gateway, `${net}.9`)
})

test('a network that is only a configuration, and those that borrow it', async () => {
  const { engine } = await world
  const { name, net } = await network()
  await engine.networks.remove(name)
  // The docker command names a driver, which counts for nothing.
  const { Id } = await engine.networks.create({ Name: 'lender', Driver: 'bridge', ConfigOnly: true, IPAM: { Config: [{ Subnet: `${net}.0/24` }] }, Options: { 'com.docker.network.driver.mtu': '1300' }, Labels: { a: 'b' } })
  assert.deepEqual([(await engine.networks.inspect(Id)).Driver, (await engine.networks.inspect(Id)).ConfigOnly], ['null', true])
  const forbidden = async (request: CreateNetwork, message: string) => assert.rejects(engine.networks.create(request), { code: 'forbidden', message })
  await forbidden({ Name: 'x', ConfigOnly: true, Internal: true }, 'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.')
  for (const more of [{ IPAM: { Config: [{ Subnet: '10.78.0.0/24' }] } }, { Options: { x: 'y' } }]) await forbidden({ Name: 'x', ConfigFrom: { Network: 'lender' }, ...more }, 'user specified configurations are not supported if the network depends on a configuration network')
  await assert.rejects(engine.networks.create({ Name: 'x', ConfigFrom: { Network: 'bridge' } }), { code: 'not-found', message: 'configuration network "bridge" does not exist' })
  await assert.rejects(on({ lender: {} }), { code: 'forbidden', message: 'failed to set up container networking: cannot create endpoint on configuration-only network' })
  await engine.networks.create({ Name: 'borrower', ConfigFrom: { Network: 'lender' } })
  const { path } = await on({ borrower: {} })
  assert.match(inSandbox(path, 'ip address show eth0'), new RegExp(` mtu 1300 [^]*${net}\\.2/24`))
  assert.deepEqual((await engine.networks.inspect('borrower')).Labels, { a: 'b' })
  await assert.rejects(engine.networks.remove('lender'), { code: 'forbidden', message: 'error while removing network: configuration network "lender" is in use' })
})

test('wrong requests say what Docker says, and leave nothing', async () => {
  const { engine, options } = await world
  const { name, net } = await network()
  // Of this engine alone: others may be at work beside it.
  const { nftablesTable: table, bridge } = options
  const own = (): string => host(`ip -o link show master ${bridge}; nft list table inet ${table}; nft list table bridge ${table}`)
  const before = own()
  const create = (request: Partial<CreateNetwork>) => engine.networks.create({ Name: 'wrong', ...request })
  const config = (...Config: NonNullable<CreateNetwork['IPAM']>['Config'] & object[]) => ({ IPAM: { Config } })
  for (const [request, message] of [
    [{ Name: '' }, 'invalid name: name is empty'],
    [{ Name: 'bridge' }, 'operation is not permitted on predefined bridge network '],
    [{ Driver: 'foo' }, 'plugin "foo" not found'],
    [{ Driver: 'host' }, 'only one instance of "host" network is allowed'],
    [{ EnableIPv4: false }, 'IPv4 or IPv6 must be enabled'],
    [config({ Subnet: '10.78.0.5/25' }), 'invalid network config:\ninvalid subnet 10.78.0.5/25: it should be 10.78.0.0/25'],
    [config({ Subnet: 'nonsense' }), 'invalid network config:\ninvalid subnet nonsense: invalid CIDR block notation'],
    [config({ Subnet: '10.78.0.0/24', Gateway: '10.79.0.1' }), "invalid network config:\ninvalid gateway 10.79.0.1: parent subnet 10.78.0.0/24 doesn't contain this address"],
    [config({ Subnet: '10.78.0.0/24', IPRange: '10.79.0.0/25' }), "invalid network config:\ninvalid ip-range 10.79.0.0/25: parent subnet 10.78.0.0/24 doesn't contain ip-range"],
    [config({ Subnet: `${net}.0/25` }), 'invalid pool request: Pool overlaps with other one on this address space'],
    [config({ Subnet: options.bip?.replace(/\d+\/24/, '0/24') }), 'invalid pool request: Pool overlaps with other one on this address space'],
    [{ Options: { 'com.docker.network.bridge.name': options.bridge } }, /networks have same bridge name$/],
    [{ Options: { 'com.docker.network.bridge.name': 'lo' } }, 'network interface lo exists and is no bridge'],
    [{ Options: { 'com.docker.network.bridge.enable_icc': 'abc' } }, 'failed to parse com.docker.network.bridge.enable_icc value: abc (strconv.ParseBool: parsing "abc": invalid syntax)'],
    [{ Options: { 'com.docker.network.bridge.host_binding_ipv4': 'nonsense' } }, 'failed to parse com.docker.network.bridge.host_binding_ipv4 value: nonsense (nil ip)'],
    [{ Options: { 'com.docker.network.host_ipv4': 'nonsense' } }, 'failed to parse com.docker.network.host_ipv4 value: nonsense (nil ip)'],
    [config({ Subnet: '10.78.0.0/24', AuxiliaryAddresses: { a: '10.78.0.9', b: '10.78.0.9' } }), 'failed to allocate secondary ip address (b:10.78.0.9): Address already in use'],
    [config({ Subnet: '10.78.0.0/24', AuxiliaryAddresses: { a: '10.78.0.1' } }), 'failed to allocate secondary ip address (a:10.78.0.1): Address already in use'],
    [config({ Subnet: '10.78.0.0/24', Gateway: '10.78.0.7', AuxiliaryAddresses: { a: '10.78.0.7' } }), 'failed to allocate secondary ip address (a:10.78.0.7): Address already in use'],
    [config({ Subnet: '10.78.0.0/24', Gateway: '10.78.0.255' }), 'failed to allocate gateway (10.78.0.255): Address already in use'],
    [config({ Subnet: '127.0.7.0/24' }), 'invalid network config:\ninvalid subnet 127.0.7.0/24: addresses of 127.0.0.0/8 do not leave their host'],
    [{ Options: { 'com.docker.network.bridge.name': 'a;b' } }, 'invalid bridge name: "a;b"'],
  ] as const) await assert.rejects(create(request), { message })
  assert.equal(own(), before)
  await assert.rejects(on({ [name]: { IPAMConfig: { IPv4Address: '10.1.1.1' } } }), { message: `invalid config for network ${name}: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.1.1.1` })
  for (const last of [0, 1, 255]) await assert.rejects(on({ [name]: { IPAMConfig: { IPv4Address: `${net}.${last}` } } }), { message: 'failed to set up container networking: Address already in use' })
  await assert.rejects(on({ [name]: { IPAMConfig: { IPv4Address: '::1' } } }), { message: `invalid config for network ${name}: invalid endpoint settings:\n* invalid IPv4 address: ::1\n* no configured subnet or ip-range contain the IP address ::1` })
  await assert.rejects(engine.networks.remove('bridge'), { message: 'bridge is a pre-defined network and cannot be removed' })
})

test('filters and prune', async () => {
  const { engine } = await world
  const { name } = await network({ Labels: { pruned: 'yes' } })
  const names = async (...filters: [string, string[]][]) => (await engine.networks.list(new Map(filters))).map(({ Name }) => Name)
  assert.deepEqual(await names(['label', ['pruned=yes']]), [name])
  assert.deepEqual(await names(['type', ['builtin']]), ['none', 'host', 'bridge'])
  assert.ok((await names(['dangling', ['true']])).includes(name))
  const user = await on({ [name]: {} })
  assert.ok(!(await names(['dangling', ['true']])).includes(name))
  assert.deepEqual(await engine.networks.prune(new Map([['label', ['pruned']]])), { NetworksDeleted: null })
  await engine.containers.remove(user.id, removal)
  assert.deepEqual(await engine.networks.prune(new Map([['label', ['pruned']]])), { NetworksDeleted: [name] })
})

test('networks and places on them outlive the engine', async (t) => {
  const own = await openTestEngine(t)
  const { Id } = await own.engine.networks.create({ Name: 'kept', EnableIPv6: true, IPAM: { Config: [{ Subnet: '10.59.7.0/24' }] } })
  const id = await own.start(['sleep', '1000'], { NetworkMode: 'kept' })
  const path = (await own.engine.containers.inspect(id, { size: false })).NetworkSettings.SandboxKey
  const before = (await own.engine.networks.inspect('kept')).Containers
  await own.close()
  // Somebody else has flushed everything meanwhile, and made a port that nobody knows.
  host(`nft delete table inet ${own.options.nftablesTable}; nft delete table bridge ${own.options.nftablesTable}; ip link add stray type veth peer name stray2 && ip link set stray master br-${Id.slice(0, 12)}`)
  const engine = await own.reopen()
  assert.deepEqual((await engine.networks.inspect('kept')).Containers, before)
  assert.ok(succeedsIn(path, 'busybox ping -c 1 -W 2 10.59.7.1'))
  await until('the stray port is gone', () => host('ip link show stray 2>/dev/null || echo gone') === 'gone\n')
  const next = await own.start(['sleep', '1000'], { NetworkMode: 'kept' })
  assert.equal((await engine.containers.inspect(next, { size: false })).NetworkSettings.Networks['kept']?.IPAddress, '10.59.7.3')
  assert.deepEqual(own.troubles, [])
})
