import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { onHost, serveIn, short, until } from '../harness/network-host.ts'
import { ask, askUdp, hostAddress6, openPublishingHost, published, serveUdp, type PublishingHost } from '../harness/publishing-host.ts'

let host: PublishingHost

before(async () => {
  host = await openPublishingHost()
})

after(() => host[Symbol.asyncDispose]())

describe('a port that is published over IPv6', () => {
  it('is reached over IPv6, though the container has none', async () => {
    await using web = await host.container(published('80/tcp', ['', '8080'], ['::1', '8081']))
    using _server = await serveIn(web.sandbox, 80)
    assert.equal(await ask(undefined, '::1', 8080), web.gateway)
    assert.equal(await ask(undefined, '::1', 8081), web.gateway)
    assert.equal(await ask(undefined, hostAddress6, 8080), web.gateway)
    assert.equal(await ask(host.outside, hostAddress6, 8080), web.gateway)
    assert.equal(await ask(host.outside, hostAddress6, 8081, short), undefined)
    const relay = /redirect to :(\d+)/.exec(host.table())?.[1]
    assert.equal(await ask(host.outside, hostAddress6, Number(relay), short), undefined)
  })

  it('carries UDP over IPv6 to a container without it, and answers from the address that was asked', async () => {
    const other = '2001:db8:51::9'
    onHost(`ip address add ${other}/64 dev uplink0 nodad preferred_lft 0`)
    {
      await using dns = await host.container(published('53/udp', ['', '5302'], [hostAddress6, '5303']))
      using _server = await serveUdp(dns.sandbox, 53)
      assert.deepEqual(dns.ports['53/udp']?.map(({ HostIp }) => HostIp), ['0.0.0.0', '::', hostAddress6])
      // The client's socket is connected: what comes from elsewhere is none of its answers.
      for (const [from, address] of [[undefined, '::1'], [host.outside, hostAddress6], [host.outside, other]] as const) assert.equal(await askUdp(from, address, 5302), dns.gateway, address)
      assert.equal(await askUdp(host.outside, hostAddress6, 5303), dns.gateway)
      assert.equal(await askUdp(host.outside, other, 5303, short), undefined)
      await host.test.reopen()
      // The relay's thread begins anew.
      assert.equal(await askUdp(host.outside, hostAddress6, 5302, 20), dns.gateway)
    }
    assert.equal(onHost('ss -Hlun sport = :5302'), '')
    await using again = await host.container(published('53/udp', ['', '5302']))
    using _server = await serveUdp(again.sandbox, 53)
    assert.equal(await askUdp(host.outside, hostAddress6, 5302), again.gateway)
    onHost(`ip address delete ${other}/64 dev uplink0`)
  })

  it('carries much over IPv6, to both sides, and ends as its ends do', async () => {
    await using web = await host.container(published('80/tcp', ['', '8080'], ['', '8088']))
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
})
