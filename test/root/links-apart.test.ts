import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { openTestEngine, removal, type TestEngine } from '../harness/engine.ts'
import { enterPrivateHost, onHost, until } from '../harness/network-host.ts'

/** Seconds that are enough to see that no answer comes: all links are local. */
const short = 0.8
/** Where frames on bridges meet the rules for packets too, as wherever Docker runs. */
const bridgeNetfilter = '/proc/sys/net/bridge/bridge-nf-call-iptables'

let test: TestEngine
const ended: (() => Promise<void>)[] = []

before(async () => {
  await enterPrivateHost()
  test = await openTestEngine({ after: (work) => void ended.push(work) }, { interContainer: false })
})

after(async () => {
  for (const work of ended) await work()
})

async function start(name: string, links: readonly string[] = [], exposed: readonly string[] = []): Promise<string> {
  const id = await test.create(['sleep', '1000'], { NetworkMode: 'bridge', Links: [...links] }, { ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) }, name)
  await test.engine.containers.start(id)
  return id
}

async function place(id: string): Promise<{ readonly sandbox: string; readonly address: string }> {
  const { NetworkSettings } = await test.engine.containers.inspect(id, { size: false })
  return { sandbox: NetworkSettings.SandboxKey, address: NetworkSettings.IPAddress }
}

/** Servers of TCP and UDP in a container's network, that answer with the client's address. */
async function serve(id: string, tcp: readonly number[], udp: readonly number[] = []): Promise<Disposable> {
  const code = `let n=${tcp.length + udp.length};const up=()=>{if(--n===0)console.log('up')};for(const p of ${JSON.stringify(tcp)})require('node:net').createServer((s)=>s.on('error',()=>{}).end(s.remoteAddress)).listen(p,'0.0.0.0',up);for(const p of ${JSON.stringify(udp)}){const s=require('node:dgram').createSocket('udp4');s.on('message',(m,r)=>s.send(r.address,r.port,r.address));s.bind(p,up)}`
  const server = spawn('nsenter', [`--net=${(await place(id)).sandbox}`, process.execPath, '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve) => server.stdout.once('data', () => resolve()))
  return { [Symbol.dispose]: () => void server.kill('SIGKILL') }
}

/** What a server in another container answers; undefined when nothing comes. @param from the client's own port */
async function ask(client: string, server: string, port: number, how: { readonly udp?: boolean; readonly from?: number; readonly seconds?: number } = {}): Promise<string | undefined> {
  const { udp = false, from = 0, seconds = 15 } = how
  const [{ sandbox }, { address }] = [await place(client), await place(server)]
  const code = udp
    ? `const s=require('node:dgram').createSocket('udp4');s.on('message',(m)=>{console.log(String(m));process.exit()});s.bind(${from},()=>{const go=()=>s.send('?',${port},'${address}');go();setInterval(go,200)})`
    : `require('node:net').connect({port:${port},host:'${address}'${from === 0 ? '' : `,localPort:${from}`}}).on('data',(d)=>console.log(String(d))).on('error',()=>process.exit(1))`
  return new Promise((resolve) => execFile('timeout', [String(seconds), 'nsenter', `--net=${sandbox}`, process.execPath, '-e', code], (error, stdout) => resolve(error === null ? stdout.trim() || undefined : undefined)))
}

const elements = (set: string): string => /elements = \{([^}]*)\}/.exec(onHost(`nft list set bridge ${test.options.nftablesTable} ${set}`))?.[1]?.trim() ?? ''

describe('a link between containers that are kept apart', () => {
  it('opens what its target exposes, for the one container that has it', async () => {
    const db = await start('db', [], ['80/tcp', '53/udp'])
    const web = await start('web', ['db:database'])
    const other = await start('other')
    using _db = await serve(db, [80, 81], [53, 54])
    using _web = await serve(web, [80, 7000])
    const { address } = await place(web)
    for (const crossing of existsSync(bridgeNetfilter) ? ['1', '0'] : ['']) {
      if (crossing !== '') onHost(`echo ${crossing} >${bridgeNetfilter}`)
      assert.equal(await ask(web, db, 80), address, `bridge-nf-call-iptables ${crossing}`)
      assert.equal(await ask(web, db, 53, { udp: true }), address)
      const refused = await Promise.all([
        ask(web, db, 81, { seconds: short }), ask(web, db, 54, { udp: true, seconds: short }), ask(other, db, 80, { seconds: short }), ask(db, web, 80, { seconds: short }),
        // What looks like an answer begins nothing.
        ask(db, web, 7000, { from: 80, seconds: short }),
      ])
      assert.deepEqual(refused, [undefined, undefined, undefined, undefined, undefined])
    }
    if (existsSync(bridgeNetfilter)) onHost(`echo 1 >${bridgeNetfilter}`)
    assert.equal((await test.engine.networks.trace('web', 'db:80', 'tcp')).Reaches, true)
    assert.match((await test.engine.networks.trace('web', 'db:81', 'tcp')).Steps.at(-1)?.Detail ?? '', /rule "drop" of chain kept-apart/)
  })

  it('goes on after restarts of its target and of the engine, and after a reload of the firewall', async () => {
    await test.engine.containers.stop('db', { timeout: 0 })
    assert.equal(elements('linked'), '')
    await test.engine.containers.start('db')
    using _db = await serve('db', [80])
    assert.equal(typeof (await ask('web', 'db', 80)), 'string')
    await test.close()
    onHost(`nft flush set bridge ${test.options.nftablesTable} linked`)
    await test.reopen()
    assert.equal(typeof (await ask('web', 'db', 80)), 'string')
    onHost('nft flush ruleset')
    await until(() => onHost('nft list ruleset').includes(test.options.nftablesTable))
    assert.equal(typeof (await ask('web', 'db', 80)), 'string')
    assert.equal(await ask('other', 'db', 80, { seconds: short }), undefined)
  })

  it('is closed when it is removed, and with its container', async () => {
    using _db = await serve('db', [80])
    await test.engine.containers.remove('web/database', { force: false, volumes: false, link: true })
    assert.equal(await ask('web', 'db', 80, { seconds: short }), undefined)
    await start('second', ['db'])
    assert.equal(typeof (await ask('second', 'db', 80)), 'string')
    await test.engine.networks.disconnect('bridge', 'second', false)
    assert.deepEqual([elements('linked'), elements('linked-pairs')], ['', ''])
    await test.engine.networks.connect('bridge', 'second', {})
    assert.match(elements('linked'), /tcp \. 80/)
    for (const name of ['second', 'web', 'db', 'other']) await test.engine.containers.remove(name, removal)
    assert.deepEqual([elements('linked'), elements('linked-pairs'), elements('apart')], ['', '', ''])
  })
})
