import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { connect, type Client } from '@engine/api/client'
import { importBusybox, startContainer } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { hostState, settledDiscrepancies } from '../harness/host-state.ts'

let daemon: TestDaemon
let client: Client

before(async () => {
  // Docker's own pools are spent after some thirty networks of this host.
  daemon = await startDaemon({ 'default-address-pools': [{ base: '198.18.128.0/17', size: 26 }] })
  client = connect(daemon.host)
  await importBusybox(client)
})
after(() => daemon?.[Symbol.asyncDispose]())

interface Settings {
  readonly SandboxKey: string
  readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>
}

async function settings(id: string): Promise<Settings> {
  return (await client.request<{ NetworkSettings: Settings }>('GET', `/containers/${id}/json`)).body.NetworkSettings
}

/** Pings every 10 ms from a sandbox until it is told to stop. @returns how many were sent, and how many came back */
function pinging(sandbox: string, address: string): { stop(): Promise<{ readonly sent: number; readonly received: number }> } {
  const ping = spawn('nsenter', [`--net=${sandbox}`, 'busybox', 'ping', '-i', '0.01', '-W', '5', address], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  const ended = new Promise((resolve) => ping.once('close', resolve))
  ping.stdout.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4000)))
  return {
    async stop() {
      ping.kill('SIGINT')
      await ended
      const [, sent, received] = /(\d+) packets transmitted, (\d+) (?:packets )?received/.exec(said) ?? []
      return { sent: Number(sent), received: Number(received) }
    },
  }
}

describe('two hundred connects and disconnects, four at a time', () => {
  it('lose no packet of other containers and leave nothing behind', async () => {
    const names = ['one', 'two', 'three', 'four']
    for (const Name of names) await client.request('POST', '/networks/create', { body: { Name, EnableIPv6: Name !== 'one' } })
    // Two that stay, on the busiest network, and talk all the time.
    const [a, b] = [await startContainer(client, ['sleep', '1000'], { NetworkMode: 'one' }), await startContainer(client, ['sleep', '1000'], { NetworkMode: 'one' })]
    const movers = await Promise.all(names.map(() => startContainer(client, ['sleep', '1000'], { NetworkMode: 'bridge' })))
    const before = hostState(daemon)
    const traffic = pinging((await settings(a)).SandboxKey, (await settings(b)).Networks['one']?.IPAddress ?? '')
    await Promise.all(movers.map(async (id, mover) => {
      for (let round = 0; round < 50; round++) {
        const name = names[(mover + round) % names.length] ?? 'one'
        await client.request('POST', `/networks/${name}/connect`, { body: { Container: id, EndpointConfig: { Aliases: [`alias-${round}`] } } })
        await client.request('POST', `/networks/${name}/disconnect`, { body: { Container: id } })
      }
    }))
    const { sent, received } = await traffic.stop()
    assert.ok(sent > 100, `${sent} packets`)
    // The last one may be under way when ping is stopped.
    assert.ok(received >= sent - 1, `${received} of ${sent} packets`)
    const now = hostState(daemon)
    for (const what of ['bridges', 'ports', 'rules', 'sandboxes', 'mounts'] as const) assert.deepEqual(now[what], before[what], what)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    for (const id of movers) {
      const { SandboxKey } = await settings(id)
      const links = execFileSync('nsenter', [`--net=${SandboxKey}`, 'ip', '-o', 'link'], { encoding: 'utf8' })
      assert.equal(links.trim().split('\n').length, 2, links)
    }
    const { Containers } = (await client.request<{ Containers: object }>('GET', '/networks/two')).body
    assert.deepEqual(Containers, {})
  })

  it('and two dozen networks made at once have subnets and bridges of their own', async () => {
    const made = await Promise.all(Array.from({ length: 24 }, (_, i) => client.request<{ Id: string }>('POST', '/networks/create', { body: { Name: `many-${i}`, EnableIPv6: true } })))
    const subnets = await Promise.all(made.map(async ({ body }) => (await client.request<{ IPAM: { Config: { Subnet: string }[] } }>('GET', `/networks/${body.Id}`)).body.IPAM.Config.map(({ Subnet }) => Subnet)))
    assert.equal(new Set(subnets.flat()).size, 48)
    await Promise.all(made.map(({ body }) => client.request('DELETE', `/networks/${body.Id}`)))
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })
})
