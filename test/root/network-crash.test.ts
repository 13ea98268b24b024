import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BridgeNetwork, createLease, createSandbox, defaultSubnetPools, Firewall, listSandboxes, parseCidr, randomHostInterface, removeLeftBridge, removeSandbox } from '@engine/network'
import { enterPrivateHost, linkNames, mountsBelow, onHost, succeedsIn, until } from '../harness/network-host.ts'

const table = `engine-crash-${process.pid}`
const bridge = 'engcrash0'
let directory = ''

before(async () => {
  await enterPrivateHost()
  directory = mkdtempSync(join(tmpdir(), 'engine-crash-'))
})

after(() => {
  for (const name of listSandboxes(directory)) removeSandbox(join(directory, name))
  rmSync(directory, { recursive: true })
})

/** Lets a daemon work for some milliseconds after its first container, and kills it. */
async function crash(milliseconds: number): Promise<void> {
  const daemon = spawn(process.execPath, [join(import.meta.dirname, '../harness/network-crasher.ts'), directory, table, bridge], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => daemon.once('exit', resolve))
  await Promise.race([new Promise((resolve) => daemon.stdout.once('data', resolve)), ended])
  await sleep(milliseconds)
  assert.equal(daemon.exitCode, null, 'it works until it is killed')
  daemon.kill('SIGKILL')
  await ended
}

describe('a daemon that was killed at any moment', () => {
  it('is followed by one that makes everything right', async () => {
    for (const milliseconds of [0, 7, 19, 43]) {
      await crash(milliseconds)
      using firewall = new Firewall(table)
      firewall.ensure()
      using network = new BridgeNetwork({ bridge, subnetPools: defaultSubnetPools, mtu: 1500, masquerade: true, interContainer: true }, firewall)
      assert.equal(network.ensure().gateway, '172.17.0.1')
      const path = join(directory, `next-${milliseconds}`)
      const lease = createLease({ hostInterface: randomHostInterface(), address: '172.17.250.2' })
      await createSandbox(path)
      await network.connect(path, lease)
      assert.ok(succeedsIn(path, 'busybox ping -c 1 -W 1 172.17.0.1'))
      network.release(lease)
      removeSandbox(path)
    }
  })

  it('leaves only what its successor finds and takes away', async () => {
    await crash(31)
    assert.ok(listSandboxes(directory).length > 0)
    using firewall = new Firewall(table)
    firewall.ensure()
    using network = new BridgeNetwork({ bridge, subnetPools: defaultSubnetPools, mtu: 1500, masquerade: true, interContainer: true }, firewall)
    network.ensure()
    assert.ok(network.list().ports.length > 0)
    assert.ok(network.list().rules.length > 0)
    for (const name of listSandboxes(directory)) removeSandbox(join(directory, name))
    await network.reconcile([])
    await until(() => network.list().ports.length === 0)
    assert.deepEqual(network.list(), { ports: [], rules: [] })
    assert.deepEqual(mountsBelow(directory), [])
    await network.remove()
    firewall.remove()
    assert.equal(onHost('nft list ruleset'), '')
    assert.deepEqual(linkNames(), ['lo'])
  })

  it('leaves nothing of a network whose creation was broken off between its rules and its bridge', async () => {
    using firewall = new Firewall(table)
    firewall.ensure()
    const frame = onHost(`nft list table inet ${table}`)
    {
      using before = new Firewall(table)
      before.ensure()
      before.addBridge({ bridge, subnets: ['172.18.0.1/16', 'fd00:5::1/64'].map((text) => ({ subnet: parseCidr(text), masquerade: true, source: undefined, mode: 'nat' })), interContainer: true, internal: false, trusted: [] })
    }
    assert.notEqual(onHost(`nft list table inet ${table}`), frame)
    using after = new Firewall(table)
    after.ensure()
    await removeLeftBridge(after, bridge)
    assert.equal(onHost(`nft list table inet ${table}`), frame)
    after.remove()
  })

  it('leaves containers that go on as they are', async () => {
    await crash(5)
    using firewall = new Firewall(table)
    firewall.ensure()
    using network = new BridgeNetwork({ bridge, subnetPools: defaultSubnetPools, mtu: 1500, masquerade: true, interContainer: true }, firewall)
    network.ensure()
    const { rules } = network.list()
    const [kept] = rules.filter(({ hostInterface }) => network.list().ports.includes(hostInterface))
    assert.ok(kept?.mac !== undefined && kept.addresses !== undefined)
    const lease = createLease({ hostInterface: kept.hostInterface, address: kept.addresses[0], mac: kept.mac })
    // Somebody flushes everything, as a reload of firewalld or nftables.service does.
    onHost('nft flush ruleset')
    firewall.ensure()
    network.ensure()
    const removed = await network.reconcile([lease])
    assert.ok(!removed.includes(lease.hostInterface))
    assert.deepEqual(network.list(), { ports: [lease.hostInterface], rules: [kept] })
    const path = listSandboxes(directory).map((name) => join(directory, name)).find((one) => succeedsIn(one, `ip address show eth0 | grep -q 'inet ${lease.address}/'`))
    assert.ok(path !== undefined && succeedsIn(path, 'busybox ping -c 1 -W 1 172.17.0.1'))
    await network.remove()
    firewall.remove()
  })
})
