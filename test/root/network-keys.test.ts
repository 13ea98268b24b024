import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { before, describe, it } from 'node:test'
import type { EngineOptions, HostConfig } from '@engine/engine'
import { openTestEngine, removal, type TestEngine } from '../harness/engine.ts'
import { enterPrivateHost, inSandbox, onHost } from '../harness/network-host.ts'

before(enterPrivateHost)

/** An engine with some keys, for as long as a test. */
async function withKeys(keys: Partial<EngineOptions>, work: (test: TestEngine) => Promise<void>): Promise<void> {
  const ended: (() => Promise<void>)[] = []
  const test = await openTestEngine({ after: (one) => void ended.push(one) }, keys)
  try {
    await work(test)
  } finally {
    for (const one of ended) await one()
  }
}

interface Listed {
  readonly addr_info: readonly { readonly family: string; readonly scope: string; readonly local: string; readonly prefixlen: number }[]
}

/** The addresses of a link, as the kernel has them: of a sandbox, or of the host. */
function addresses(link: string, sandbox?: string): string[] {
  const command = `ip -j address show dev ${link}`
  const listed = JSON.parse(sandbox === undefined ? onHost(command) : inSandbox(sandbox, command)) as Listed[]
  return listed.flatMap(({ addr_info: all }) => all.filter(({ scope }) => scope === 'global').map(({ local, prefixlen }) => `${local}/${prefixlen}`))
}

/** Bytes. /sys shows the links of the namespace that it was mounted in. */
function mtuOf(link: string): string | undefined {
  return /mtu (\d+)/.exec(onHost(`ip link show dev ${link}`))?.[1]
}

async function running(test: TestEngine, host: HostConfig = {}) {
  const id = await test.start(['sleep', '1000'], { NetworkMode: 'bridge', ...host })
  const { NetworkSettings, HostsPath } = await test.engine.containers.inspect(id, { size: false })
  return { id, settings: NetworkSettings, sandbox: NetworkSettings.SandboxKey, hosts: execFileSync('cat', [HostsPath], { encoding: 'utf8' }), [Symbol.asyncDispose]: () => test.engine.containers.remove(id, removal) }
}

describe('IPv6 on the default network', () => {
  it('is a subnet of this engine\'s own where none is named, and the same after a restart', async () => {
    await withKeys({ ipv6: true }, async (test) => {
      const { EnableIPv6, IPAM } = await test.engine.networks.inspect('bridge')
      const [, six] = IPAM.Config ?? []
      assert.equal(EnableIPv6, true)
      assert.match(six?.Subnet ?? '', /^fd.*::\/64$/)
      assert.deepEqual(addresses(test.options.bridge).slice(1), [`${six?.Gateway}/64`])
      await using one = await running(test)
      assert.equal(addresses('eth0', one.sandbox)[1], `${one.settings.GlobalIPv6Address}/64`)
      assert.match(inSandbox(one.sandbox, 'ip -6 route show default'), new RegExp(`^default via ${six?.Gateway} dev eth0`))
      assert.match(one.hosts, new RegExp(`^${one.settings.GlobalIPv6Address}\t`, 'm'))
      inSandbox(one.sandbox, `busybox ping -6 -c 1 -W 2 ${six?.Gateway}`)
      await test.reopen()
      assert.deepEqual((await test.engine.networks.inspect('bridge')).IPAM.Config?.[1], six)
      // A published port leads to it without a relay.
      await using web = await running(test, { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } })
      assert.ok(web.id)
    })
  })

  it('is what bip6, fixed-cidr-v6 and default-gateway-v6 say', async () => {
    await withKeys({ ipv6: true, bip6: 'fd00:17::5/64', fixedCidrV6: 'fd00:17:0:0:1::/80', defaultGatewayV6: 'fd00:17::9' }, async (test) => {
      assert.deepEqual(addresses(test.options.bridge).slice(1), ['fd00:17::5/64'])
      await using one = await running(test)
      assert.match(addresses('eth0', one.sandbox)[1] ?? '', /^fd00:17:0:0:1:.*\/64$/)
      assert.match(inSandbox(one.sandbox, 'ip -6 route show default'), /^default via fd00:17::9 dev eth0/)
      assert.deepEqual((await test.engine.networks.inspect('bridge')).IPAM.Config?.[1], { Subnet: 'fd00:17::/64', IPRange: 'fd00:17:0:0:1::/80', Gateway: 'fd00:17::5' })
    })
  })

  it('is fixed-cidr-v6 where there is no bip6, and nothing without ipv6', async () => {
    await withKeys({ ipv6: true, fixedCidrV6: 'fd00:18::/64' }, async (test) => {
      assert.deepEqual(addresses(test.options.bridge).slice(1), ['fd00:18::1/64'])
    })
    await withKeys({ fixedCidrV6: 'fd00:18::/64' }, async (test) => {
      assert.equal(addresses(test.options.bridge).length, 1)
      await using one = await running(test)
      assert.equal(inSandbox(one.sandbox, 'cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6'), '1\n')
    })
  })
})

describe('other keys of the network', () => {
  it('take subnets of both families from address pools', async () => {
    await withKeys({ addressPools: [{ base: '10.77.0.0/16', size: 28 }, { base: 'fd00:77::/56', size: 80 }] }, async (test) => {
      const made = await Promise.all(['a', 'b'].map((Name) => test.engine.networks.create({ Name, EnableIPv6: true })))
      const configs = await Promise.all(made.map(async ({ Id }) => (await test.engine.networks.inspect(Id)).IPAM.Config?.map(({ Subnet }) => Subnet)))
      assert.deepEqual(configs, [['10.77.0.0/28', 'fd00:77::/80'], ['10.77.0.16/28', 'fd00:77:0:0:1::/80']])
      assert.deepEqual(addresses(`br-${made[1]?.Id.slice(0, 12)}`), ['10.77.0.17/28', 'fd00:77::1:0:0:1/80'])
      for (const { Id } of made) await test.engine.networks.remove(Id)
    })
  })

  it('are options of networks that are made without them', async () => {
    await withKeys({ networkOptions: { bridge: { 'com.docker.network.driver.mtu': '1300', 'com.docker.network.bridge.enable_icc': 'false' } } }, async (test) => {
      const made = [await test.engine.networks.create({ Name: 'a' }), await test.engine.networks.create({ Name: 'b', Options: { 'com.docker.network.driver.mtu': '1280' } })]
      const mtus = made.map(({ Id }) => mtuOf(`br-${Id.slice(0, 12)}`))
      assert.deepEqual(mtus, ['1300', '1280'])
      assert.equal(mtuOf(test.options.bridge), '1500')
      assert.deepEqual((await test.engine.networks.inspect('b')).Options, { 'com.docker.network.bridge.enable_icc': 'false', 'com.docker.network.driver.mtu': '1280' })
      for (const { Id } of made) await test.engine.networks.remove(Id)
    })
  })

  it('say what host-gateway is', async () => {
    const ExtraHosts = ['gate:host-gateway']
    await withKeys({ hostGatewayIPs: ['192.0.2.1', '2001:db8::1'] }, async (test) => {
      await using one = await running(test, { ExtraHosts })
      assert.match(one.hosts, /^192\.0\.2\.1\tgate$/m)
      assert.match(one.hosts, /^2001:db8::1\tgate$/m)
    })
    await withKeys({ ipv6: true, bip6: 'fd00:19::1/64' }, async (test) => {
      await using one = await running(test, { ExtraHosts })
      assert.match(one.hosts, /^fd00:19::1\tgate$/m)
      assert.match(one.hosts, new RegExp(`^${one.settings.Gateway}\tgate$`, 'm'))
    })
  })

  it('publish at one address by default, and leave containers of the default network apart', async () => {
    await withKeys({ publishAddress: '127.0.0.1', interContainer: false }, async (test) => {
      await using one = await running(test)
      const id = await test.create(['sleep', '1000'], { NetworkMode: 'bridge', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } }, { ExposedPorts: { '80/tcp': {} } })
      await test.engine.containers.start(id)
      try {
        assert.match(onHost('ss -Hltn sport = :8080'), /^\S+\s+\d+\s+\d+\s+127\.0\.0\.1:8080 [^\n]*\n$/)
        const { NetworkSettings } = await test.engine.containers.inspect(id, { size: false })
        inSandbox(one.sandbox, `busybox ping -c 1 -W 2 ${NetworkSettings.Gateway}`)
        assert.throws(() => inSandbox(one.sandbox, `busybox ping -c 1 -W 1 ${NetworkSettings.IPAddress}`))
        assert.equal((await test.engine.networks.inspect('bridge')).Options['com.docker.network.bridge.host_binding_ipv4'], '127.0.0.1')
      } finally {
        await test.engine.containers.remove(id, removal)
      }
    })
  })
})
