import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { HostPorts, Relay, type PublishedPort } from '@engine/network'
import { enterPrivateHost, onHost, until } from '../harness/network-host.ts'

const directory = mkdtempSync(join(tmpdir(), 'engine-relay-'))
/** While there is such a file, the thread dies of the next message; of one only. */
const poison = { throw: join(directory, 'throw'), exhaust: join(directory, 'exhaust') }
const web: readonly PublishedPort[] = [
  { protocol: 'tcp', hostAddress: '::', hostPort: 8080, containerPort: 80, target: '127.0.0.1' },
  { protocol: 'udp', hostAddress: '::', hostPort: 5300, containerPort: 53, target: '127.0.0.1' },
]

let relay: Relay
let server: ReturnType<typeof spawn>
const ports = new HostPorts()
const logged: string[] = []

before(async () => {
  await enterPrivateHost()
  // The thread's own program, which a mistake or want of memory ends in the middle of its work.
  const program = join(directory, 'worker.mjs')
  writeFileSync(program, `
    import { existsSync, unlinkSync } from 'node:fs'
    const add = Atomics.add
    Atomics.add = (...args) => {
      if (existsSync(${JSON.stringify(poison.throw)})) { unlinkSync(${JSON.stringify(poison.throw)}); throw new Error('a mistake') }
      if (existsSync(${JSON.stringify(poison.exhaust)})) { unlinkSync(${JSON.stringify(poison.exhaust)}); const all = []; for (;;) all.push(new Array(1e5).fill({})) }
      return add(...args)
    }
    await import(${JSON.stringify(new URL('ports/relay/worker.ts', import.meta.resolve('@engine/network')).href)})
  `)
  relay = new Relay({ program, log: (_level, message) => void logged.push(message) })
  onHost(`nft 'add table ip6 t; add chain ip6 t out { type nat hook output priority -100; }; add rule ip6 t out tcp dport 8080 redirect to :${relay.port}'`)
  // Says a word at once, and then nothing.
  const code = "require('node:net').createServer((s)=>s.on('error',()=>{}).write('hello')).listen(80,'127.0.0.1',()=>{const u=require('node:dgram').createSocket('udp4');u.on('message',(m,r)=>u.send('hello',r.port,r.address));u.bind(53,'127.0.0.1',()=>console.log('up'))})"
  server = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => server.stdout?.once('data', resolve))
  ports.take('web', web.filter(({ protocol }) => protocol === 'udp'))
  relay.serve('web', web, (port) => ports.socketOf('web', port))
})

after(() => {
  relay[Symbol.dispose]()
  ports[Symbol.dispose]()
  server.kill('SIGKILL')
  rmSync(directory, { recursive: true })
})

/** A relayed connection that has heard from the server. */
async function talk(): Promise<Socket> {
  const socket = connect({ host: '::1', port: 8080 })
  await new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject))
  return socket
}

function askByUdp(): Promise<string> {
  const script = 'for i in 1 2 3 4 5 6 7 8 9 10; do exec 3<>/dev/udp/::1/5300; echo >&3; timeout 1 dd bs=1500 count=1 status=none <&3 && exit 0; done; exit 1'
  return new Promise((resolve, reject) => execFile('bash', ['-c', script], (error, stdout) => (error === null ? resolve(stdout) : reject(error))))
}

/** This process's sockets and pipes, whatever thread made them. */
function descriptors(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /^(socket|pipe|anon_inode:\[eventpoll\])/.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  }).length
}

describe('the thread that relays', () => {
  for (const [death, reason] of [['throw', /a mistake/], ['exhaust', /memory/]] as const) {
    it(`leaves nothing when it dies (${death}), and its ports go on`, async () => {
      ;(await talk()).destroy()
      await askByUdp()
      let before = 0
      await until(() => {
        const now = descriptors()
        const settled = now === before
        before = now
        return settled
      })
      const talks = [await talk(), await talk(), await talk()]
      const ends = talks.map((socket) => new Promise((resolve) => socket.once('error', resolve).once('end', () => resolve('an orderly end'))))
      writeFileSync(poison[death], '')
      relay.serve('other', [{ ...web[0], hostPort: 8081 } as PublishedPort], () => undefined)
      // Who was talked to knows that it was broken off; it is not the end of what was said.
      for (const why of await Promise.all(ends)) assert.match(String(why), /ECONNRESET/)
      assert.equal(existsSync(poison[death]), false)
      assert.match(logged.at(-1) ?? '', reason)
      const socket = await talk()
      assert.equal(await askByUdp(), 'hello')
      socket.destroy()
      relay.drop('other')
      await until(() => descriptors() <= before)
      assert.equal(logged.length, death === 'throw' ? 1 : 2)
    })
  }
})
