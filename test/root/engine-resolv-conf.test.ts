import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from '@engine/api/client'
import { execIn, importBusybox, until } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { serveNames, type TestNameServer } from '../harness/name-server.ts'

/** Nameservers on the host's loopback, at addresses that other runs do not have. */
const [first, second] = [86, 87].map((part) => `127.${part}.${(process.pid >> 8) & 255}.${process.pid & 255}`) as [string, string]
const directory = mkdtempSync(join(tmpdir(), 'engine-resolv-conf-'))
const hostFile = join(directory, 'resolv.conf')

let daemon: TestDaemon
const servers: TestNameServer[] = []

/** The host's file becomes another one, as DHCP clients and VPNs do it. */
function hostHas(content: string): void {
  writeFileSync(`${hostFile}.new`, content)
  renameSync(`${hostFile}.new`, hostFile)
}

async function post(path: string, body?: unknown): Promise<Record<string, string>> {
  const answer = await daemon.api('POST', path, body)
  assert.ok(answer.status < 300, `${path}: ${answer.text}`)
  return answer.body as Record<string, string>
}

async function run(host: object): Promise<string> {
  const { Id = '' } = await post('/containers/create', { Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig: host })
  await post(`/containers/${Id}/start`)
  return Id
}

async function inside(id: string, ...command: readonly string[]): Promise<string> {
  return (await execIn(connect(daemon.host), id, command)).output
}

const resolvConf = (id: string): Promise<string> => inside(id, 'cat', '/etc/resolv.conf')

/** The address that a container finds for a name outside. */
async function lookUp(id: string): Promise<string | undefined> {
  return /^Address(?: \d+)?: +(10\.\S+)/m.exec(await inside(id, 'nslookup', '-type=a', 'example.org'))?.[1]
}

before(async () => {
  servers.push(await serveNames(first), await serveNames(second, { answer: '10.50.60.70' }))
  hostHas(`nameserver ${first}\nnameserver 192.0.2.1\nsearch first.example\n`)
  daemon = await startDaemon({ 'resolv-conf': hostFile })
  await importBusybox(connect(daemon.host))
  await post('/networks/create', { Name: 'front' })
})

after(async () => {
  await daemon[Symbol.asyncDispose]()
  for (const server of servers) await server[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

describe('a change of the host\'s resolv.conf', () => {
  it('is followed by running containers, on each kind of network', async () => {
    const [named, legacy, hosted, told] = await Promise.all([run({ NetworkMode: 'front' }), run({}), run({ NetworkMode: 'host' }), run({ NetworkMode: 'front', Dns: [first] })])
    assert.equal(await lookUp(named), '10.20.30.40')
    assert.match(await resolvConf(legacy), /^nameserver 192\.0\.2\.1\nsearch first\.example$/m)
    hostHas(`nameserver ${second}\nnameserver 192.0.2.2\nsearch second.example\n`)
    await until('queries go to the host\'s new nameserver', async () => (await lookUp(named)) === '10.50.60.70')
    assert.match(await resolvConf(named), new RegExp(`^nameserver 127\\.0\\.0\\.11\nsearch second\\.example\n(.*\n)*# ExtServers: \\[host\\(${second}\\) host`, 'm'))
    await until('the file of a container on the default network follows', async () => (await resolvConf(legacy)).includes('nameserver 192.0.2.2\nsearch second.example\n'))
    await until('the file of a container in the host\'s network follows', async () => (await resolvConf(hosted)).includes(`nameserver ${second}\n`))
    await until('what was not chosen for the container follows', async () => (await resolvConf(told)).includes('search second.example\n'))
    assert.match(await resolvConf(told), new RegExp(`^# ExtServers: \\[${first}\\]$`, 'm'))
    // A name without a nameserver, as while the host's network is down, is nothing to follow.
    rmSync(hostFile)
    const before = await resolvConf(legacy)
    // The daemon looks once a second; it takes two looks.
    await new Promise((resolve) => setTimeout(resolve, 2500))
    assert.equal(await resolvConf(legacy), before)
    hostHas(`nameserver ${first}\n`)
    await until('and back', async () => (await lookUp(named)) === '10.20.30.40')
  })

  it('is found after the engine\'s death', async () => {
    hostHas(`nameserver ${first}\nnameserver 192.0.2.3\n`)
    const [named, legacy] = await Promise.all([run({ NetworkMode: 'front' }), run({})])
    await daemon.stop('SIGKILL')
    hostHas(`nameserver ${second}\nnameserver 192.0.2.4\n`)
    await daemon.start()
    assert.equal(await lookUp(named), '10.50.60.70')
    assert.match(await resolvConf(legacy), /^nameserver 192\.0\.2\.4$/m)
  })

  it('changes nothing of a file that the container has changed', async () => {
    hostHas('nameserver 192.0.2.5\n')
    const [witness, changed, large] = await Promise.all([run({}), run({}), run({})])
    await inside(changed, 'sh', '-c', 'echo "# mine" >> /etc/resolv.conf; echo 192.0.2.9 mine >> /etc/hosts')
    const before = await resolvConf(changed)
    assert.match(before, /192\.0\.2\.5[^]*# mine\n$/)
    // Nobody reads what a container makes of it, however large.
    await inside(large, 'sh', '-c', 'for file in resolv.conf hosts; do dd if=/dev/zero of=/etc/$file bs=1 count=1 seek=100G; done')
    hostHas('nameserver 192.0.2.6\n')
    await until('the other one follows', async () => (await resolvConf(witness)).includes('192.0.2.6'))
    for (const id of [changed, large]) await post('/networks/front/connect', { Container: id })
    assert.equal(await resolvConf(changed), before)
    assert.match(await inside(changed, 'cat', '/etc/hosts'), /^192\.0\.2\.9 mine\n172\.\d+/m)
    assert.equal(await inside(large, 'stat', '-c', '%s', '/etc/resolv.conf', '/etc/hosts'), `${100 * 2 ** 30 + 1}\n`.repeat(2))
  })
})

describe('a running container that comes from the default network to one of a user\'s', () => {
  it('finds names there from then on, and keeps its nameserver when it leaves', async () => {
    hostHas(`nameserver ${first}\nnameserver 192.0.2.1\n`)
    const id = await run({})
    await post('/containers/create?name=web', { Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'front' } })
    await post('/containers/web/start')
    const hosts = await inside(id, 'cat', '/etc/hosts')
    await post('/networks/front/connect', { Container: id })
    assert.match(await resolvConf(id), /^nameserver 127\.0\.0\.11\noptions ndots:0$/m)
    assert.match(await inside(id, 'nslookup', '-type=a', 'web'), /^Address: +172\.|^Address 1: +172\./m)
    const [address] = /172\.\S+/.exec(await inside(id, 'ip', 'address', 'show', 'eth1')) ?? []
    assert.equal(await inside(id, 'cat', '/etc/hosts'), `${hosts}${address?.split('/')[0]}\t${id.slice(0, 12)}\n`)
    await post('/networks/front/disconnect', { Container: id })
    assert.equal(await inside(id, 'cat', '/etc/hosts'), hosts)
    assert.match(await resolvConf(id), /^nameserver 127\.0\.0\.11$/m)
    assert.equal(await lookUp(id), '10.20.30.40')
    assert.doesNotMatch(await inside(id, 'nslookup', '-type=a', 'web'), /172\./)
    // The host's file changes: it is still the nameserver of ours that follows.
    hostHas(`nameserver ${second}\nsearch third.example\n`)
    await until('its nameserver follows the host\'s', async () => (await lookUp(id)) === '10.50.60.70')
    assert.match(await resolvConf(id), /^nameserver 127\.0\.0\.11\nsearch third\.example$/m)
  })
})
