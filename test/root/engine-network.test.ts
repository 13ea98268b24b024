import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { noFilters, openTestEngine, removal } from '../harness/engine.ts'

/** One engine for the tests that do not look at all of it. */
const world = openTestEngine({ after })

test('containers on the bridge reach each other; inspect and the network say where they are', async (t) => {
  const { engine, start, run, options } = await openTestEngine(t)
  const server = await start(['sh', '-c', 'while :; do echo hello | nc -l -p 80; done'], { NetworkMode: 'bridge' })
  const { NetworkSettings } = await engine.containers.inspect(server, { size: false })
  const bridge = NetworkSettings.Networks['bridge']
  assert.ok(bridge !== undefined)
  assert.equal(bridge.Gateway, options.bip?.split('/')[0])
  assert.equal(NetworkSettings.IPAddress, bridge.IPAddress)
  assert.match(NetworkSettings.SandboxKey, /\/netns\/[0-9a-f]{12}$/)
  assert.equal((await run(['nc', '-w', '2', bridge.IPAddress, '80'], { NetworkMode: 'bridge' })).stdout, 'hello\n')
  const view = await engine.networks.inspect('bridge')
  assert.equal(view.Containers[server]?.IPv4Address, `${bridge.IPAddress}/${bridge.IPPrefixLen}`)
  assert.equal(view.Id, bridge.NetworkID)
  await engine.containers.remove(server, removal)
  assert.deepEqual((await engine.networks.inspect('bridge')).Containers, {})
  assert.deepEqual(readdirSync(join(options.execRoot, 'netns')), [])
})

test('addresses are given back', async () => {
  const { engine, start } = await world
  const address = async (id: string) => (await engine.containers.inspect(id, { size: false })).NetworkSettings.IPAddress
  const [a, b] = [await start(['sleep', '100'], { NetworkMode: 'bridge' }), await start(['sleep', '100'], { NetworkMode: 'bridge' })]
  const [first, second] = [await address(a), await address(b)]
  assert.notEqual(first, second)
  await engine.containers.kill(a, 'KILL')
  assert.equal(await address(a), '')
  const c = await start(['sleep', '100'], { NetworkMode: 'bridge' })
  assert.equal(await address(c), first)
})

test('modes: none, host, and another container’s', async () => {
  const { engine, start, run } = await world
  assert.equal((await run(['sh', '-c', 'ls /sys/class/net'])).stdout, 'lo\n')
  const host = await run(['readlink', '/proc/self/ns/net'], { NetworkMode: 'host' })
  const own = await run(['readlink', '/proc/self/ns/net'])
  assert.notEqual(host.stdout, own.stdout)
  const donor = await start(['sleep', '100'], { NetworkMode: 'bridge' }, { Hostname: 'donor' })
  const { IPAddress } = (await engine.containers.inspect(donor, { size: false })).NetworkSettings
  const joined = await run(['sh', '-c', 'hostname; ip -4 addr show eth0; cat /etc/hosts'], { NetworkMode: `container:${donor.slice(0, 12)}` })
  assert.match(joined.stdout, new RegExp(`^donor\\n[^]*inet ${IPAddress}/[^]*${IPAddress}\\tdonor\\n$`))
})

test('shared pid and ipc namespaces', async () => {
  const { start, run, create, engine } = await world
  const donor = await start(['sleep', '4321'], { IpcMode: 'shareable' })
  assert.match((await run(['ps'], { PidMode: `container:${donor}` })).stdout, /sleep 4321/)
  await run(['sh', '-c', 'echo shared > /dev/shm/x'], { IpcMode: `container:${donor}` })
  assert.equal((await run(['cat', '/dev/shm/x'], { IpcMode: `container:${donor}` })).stdout, 'shared\n')
  const selfish = await start(['sleep', '100'])
  const refused = await create(['true'], { IpcMode: `container:${selfish}` })
  await assert.rejects(engine.containers.start(refused), { message: /non-shareable IPC \(hint: use IpcMode:shareable for the donor container\)$/ })
})

test('/etc files: names, extra hosts, nameservers', async () => {
  const { run, options } = await world
  const { stdout } = await run(['cat', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf'], {
    NetworkMode: 'bridge', ExtraHosts: ['db:10.1.2.3', 'me:host-gateway'], Dns: ['10.9.9.9'], DnsSearch: ['example.org'], DnsOptions: ['ndots:2'],
  }, { Hostname: 'web', Domainname: 'example.org' })
  assert.match(stdout, /^127\.0\.0\.1\tlocalhost\n/)
  for (const line of ['10.1.2.3\tdb', `${options.bip?.split('/')[0]}\tme`, 'web', 'nameserver 10.9.9.9', 'search example.org', 'options ndots:2']) assert.ok(stdout.split('\n').includes(line), line)
  assert.match(stdout, /\tweb\.example\.org web\n/)
})

test('networks are listed and found', async () => {
  const { engine } = await world
  const all = await engine.networks.list(noFilters)
  assert.deepEqual(all.map(({ Name, Driver }) => [Name, Driver]), [['none', 'null'], ['host', 'host'], ['bridge', 'bridge']])
  assert.equal((await engine.networks.inspect(all[2]?.Id.slice(0, 8) ?? '')).Name, 'bridge')
  assert.deepEqual((await engine.networks.list(new Map([['driver', ['host']]]))).map(({ Name }) => Name), ['host'])
  await assert.rejects(engine.networks.inspect('nope'), { code: 'not-found', message: 'network nope not found' })
  await assert.rejects(engine.networks.list(new Map([['foo', ['x']]])), { message: "invalid filter 'foo'" })
})

test('links on the default bridge: names, variables, and what follows the other container', async () => {
  const { engine, create } = await world
  const { Id: db } = await engine.containers.create({
    name: 'linked-db', config: { Image: 'busybox', Cmd: ['sleep', '100'], Env: ['FOO=bar', 'HOME=/x'], Hostname: 'dbhost', ExposedPorts: { '6379/tcp': {}, '6380/tcp': {}, '53/udp': {} } }, hostConfig: { NetworkMode: 'bridge' }, endpoints: {},
  })
  const web = await create(['sh', '-c', 'env; sleep 100'], { NetworkMode: 'bridge', Links: ['linked-db:my-db', 'linked-db'] }, {}, 'linked-web')
  await assert.rejects(engine.containers.start(web), { message: 'Cannot link to a non running container: /linked-db AS /linked-web/my-db' })
  await engine.containers.start(db)
  await engine.containers.start(web)
  const address = async () => (await engine.containers.inspect(db, { size: false })).NetworkSettings.IPAddress
  const { HostsPath, HostConfig, State } = await engine.containers.inspect(web, { size: false })
  const first = await address()
  assert.match(readFileSync(HostsPath, 'utf8'), new RegExp(`^${first}\tmy-db dbhost linked-db\n${first}\tlinked-db dbhost$`, 'm'))
  const environment = readFileSync(`/proc/${State.Pid}/environ`, 'utf8').split('\0')
  for (const variable of ['MY_DB_NAME=/linked-web/my-db', `MY_DB_PORT=tcp://${first}:6379`, `MY_DB_PORT_53_UDP=udp://${first}:53`, 'MY_DB_PORT_6379_TCP_PROTO=tcp', `MY_DB_PORT_6379_TCP_START=tcp://${first}:6379`, `MY_DB_PORT_6379_TCP_END=tcp://${first}:6380`, 'MY_DB_PORT_6379_TCP_PORT_END=6380', 'MY_DB_ENV_FOO=bar']) assert.ok(environment.includes(variable), variable)
  const inExec = async (): Promise<string> => {
    const { Id } = await engine.execs.create(web, { Cmd: ['env'], AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Privileged: false })
    let text = ''
    for await (const { data } of (await engine.execs.start(Id, { detach: false, tty: false }))?.output ?? []) text += data.toString()
    return text
  }
  assert.match(await inExec(), new RegExp(`^MY_DB_PORT=tcp://${first}:6379$`, 'm'))
  assert.ok(!environment.some((variable) => variable.startsWith('MY_DB_ENV_HOME')))
  assert.deepEqual(HostConfig.Links, ['/linked-db:/linked-web/my-db', '/linked-db:/linked-web/linked-db'])
  assert.deepEqual((await engine.containers.list({ all: true, size: false, filters: new Map([['id', [db]]]) }))[0]?.Names, ['/linked-db', '/linked-web/my-db', '/linked-web/linked-db'])
  // Its address is another's meanwhile.
  await engine.containers.kill(db, 'KILL')
  assert.doesNotMatch(await inExec(), /MY_DB/)
  const taker = await create(['sleep', '100'], { NetworkMode: 'bridge' })
  await engine.containers.start(taker)
  await engine.containers.start(db)
  const second = await address()
  assert.notEqual(second, first)
  assert.match(readFileSync(HostsPath, 'utf8'), new RegExp(`^${second}\tmy-db dbhost linked-db$`, 'm'))
  await engine.containers.remove('linked-web/my-db', { force: false, volumes: false, link: true })
  assert.deepEqual((await engine.containers.inspect(web, { size: false })).HostConfig.Links, ['/linked-db:/linked-web/linked-db'])
  for (const id of [web, db, taker]) await engine.containers.remove(id, removal)
  await assert.rejects(create(['true'], { NetworkMode: 'bridge', Links: ['nosuch:x'] }), { message: 'could not get container for nosuch: No such container: nosuch' })
})
