import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import type { EndpointSettings } from '@engine/engine'
import { openTestEngine, removal } from '../harness/engine.ts'
import { inSandbox, succeedsIn } from '../harness/network-host.ts'

const world = openTestEngine({ after })
const [parent, peer] = [`emv${process.pid % 100_000}`, `emw${process.pid % 100_000}`]

const host = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8' })

/** Whether this kernel makes links of a kind. */
function hasKind(kind: string): boolean {
  try {
    host(`ip link add link ${parent} name probe${process.pid % 10_000} type ${kind} 2>/dev/null && ip link delete probe${process.pid % 10_000}`)
    return true
  } catch {
    return false
  }
}

before(() => void host(`ip link add ${parent} type veth peer name ${peer} && ip link set ${parent} up && ip link set ${peer} up`))
after(() => void host(`ip link delete ${parent}`))

async function on(endpoints: Readonly<Record<string, EndpointSettings>>): Promise<{ readonly id: string; readonly path: string }> {
  const { engine } = await world
  const { Id: id } = await engine.containers.create({ config: { Image: 'busybox', Cmd: ['sleep', '1000'] }, hostConfig: { NetworkMode: Object.keys(endpoints)[0] }, endpoints })
  await engine.containers.start(id)
  return { id, path: (await engine.containers.inspect(id, { size: false })).NetworkSettings.SandboxKey }
}

test('macvlan: containers are neighbours of what is on the parent, with names and addresses', async (t) => {
  if (!hasKind('macvlan')) return t.skip('the kernel has no macvlan')
  const { engine } = await world
  await engine.networks.create({ Name: 'lan', Driver: 'macvlan', Options: { parent }, IPAM: { Config: [{ Subnet: '10.58.1.0/24', Gateway: '10.58.1.254' }] } })
  const [a, b] = [await on({ lan: { MacAddress: '02:11:22:33:44:55' } }), await on({ lan: { IPAMConfig: { IPv4Address: '10.58.1.77' } } })]
  assert.match(inSandbox(a.path, 'ip -d link show eth0'), /02:11:22:33:44:55[^]*macvlan mode bridge/)
  assert.match(inSandbox(a.path, 'ip route show default'), /^default via 10\.58\.1\.254 dev eth0/)
  assert.ok(succeedsIn(a.path, 'busybox ping -c 1 -W 2 10.58.1.77'))
  assert.match(inSandbox(a.path, `busybox nslookup -type=a ${b.id.slice(0, 12)} 127.0.0.11`), /Address: 10\.58\.1\.77/)
  // What is at the parent's other end is a neighbour too.
  host(`ip address add 10.58.1.254/24 dev ${peer}`)
  assert.ok(succeedsIn(a.path, 'busybox ping -c 1 -W 2 10.58.1.254'))
  await engine.networks.create({ Name: 'beside', IPAM: { Config: [{ Subnet: '10.58.2.0/24' }] } })
  await engine.networks.connect('beside', a.id, { GwPriority: 3 })
  assert.match(inSandbox(a.path, 'ip route show default'), /^default via 10\.58\.2\.1 dev eth1/)
  await engine.networks.disconnect('lan', a.id, false)
  assert.doesNotMatch(inSandbox(a.path, 'ip link'), /eth0/)
  for (const { id } of [a, b]) await engine.containers.remove(id, removal)
  for (const name of ['lan', 'beside']) await engine.networks.remove(name)
  assert.match(host(`ip link show ${parent}`), new RegExp(parent))
})

test('what the kernel, or the host, has not is said when the network is made', async () => {
  const { engine } = await world
  const create = (Driver: string, Options: Readonly<Record<string, string>>) => engine.networks.create({ Name: 'wrong', Driver, Options, IPAM: { Config: [{ Subnet: '10.58.9.0/24' }] } })
  await assert.rejects(create('macvlan', { parent: 'nosuch' }), { message: 'invalid subinterface vlan name nosuch, example formatting is eth0.10' })
  await assert.rejects(create('macvlan', { parent, macvlan_mode: 'foo' }), { message: "requested macvlan mode 'foo' is not valid, 'bridge' mode is the macvlan driver default" })
  await assert.rejects(create('macvlan', { parent: `${parent}.4095` }), { message: 'vlan id must be between 1-4094, received: 4095' })
  if (hasKind('ipvlan')) {
    await create('ipvlan', { parent })
    const { path } = await on({ wrong: {} })
    assert.match(inSandbox(path, 'ip -d link show eth0'), /ipvlan +mode l2/)
  } else await assert.rejects(create('ipvlan', { parent }), { code: 'unavailable', message: 'the kernel of this host has no links of kind ipvlan' })
  assert.equal(host(`ip link | grep -c probe || true`), '0\n')
})
