import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Relay } from '@engine/network'
import { enterPrivateHost, onHost, serveIn, until } from '../harness/network-host.ts'

const directory = mkdtempSync(join(tmpdir(), 'engine-relay-'))
/** A byte for each accept4(2) that has failed. */
const failures = join(directory, 'failures')
const logged: string[] = []
let relay: Relay
let server: Disposable
let client: ChildProcess

before(async () => {
  await enterPrivateHost()
  server = await serveIn(undefined, 80, '127.0.0.1')
  const program = join(directory, 'worker.mjs')
  writeFileSync(failures, '')
  writeFileSync(program, `
    import { openSync, writeSync } from 'node:fs'
    import { setTracer } from ${JSON.stringify(import.meta.resolve('@engine/linux'))}
    const fd = openSync(${JSON.stringify(failures)}, 'a')
    setTracer(({ call, errno }) => { if (call === 'accept4' && errno === 'EMFILE') writeSync(fd, '.') })
    await import(${JSON.stringify(new URL('ports/relay/worker.ts', import.meta.resolve('@engine/network')).href)})
  `)
  relay = new Relay({ program, log: (_level, message) => void logged.push(message) })
  onHost(`nft 'add table ip6 t; add chain ip6 t out { type nat hook output priority -100; }; add rule ip6 t out tcp dport 8080 redirect to :${relay.port}'`)
  relay.serve('web', [{ protocol: 'tcp', hostAddress: '::', hostPort: 8080, containerPort: 80, target: '127.0.0.1' }], () => undefined)
  // Connects for each line that it gets, and prints what it hears.
  client = spawn(process.execPath, ['-e', "process.stdin.on('data', () => require('node:net').connect(8080, '::1').on('data', (data) => console.log(String(data))).on('error', (error) => console.log(error.code)))"], { stdio: ['pipe', 'pipe', 'inherit'] })
})

after(() => {
  client.kill('SIGKILL')
  relay[Symbol.dispose]()
  server[Symbol.dispose]()
  rmSync(directory, { recursive: true })
})

/** What the client hears on one more connection. */
function hear(): Promise<string> {
  const heard = new Promise<string>((resolve) => client.stdout?.once('data', (data: Buffer) => resolve(data.toString().trim())))
  client.stdin?.write('.')
  return heard
}

it('a process without descriptors leaves connections to wait, rests meanwhile, and serves them when there are some again', async () => {
  assert.equal(await hear(), '127.0.0.1')
  const limit = (words: string): string => execFileSync('prlimit', ['--pid', String(process.pid), ...words.split(' ')], { encoding: 'utf8' }).trim()
  const before = limit('--nofile --noheadings --output SOFT')
  limit('--nofile=1024:')
  const hoard: number[] = []
  let heard: Promise<string>
  try {
    assert.throws(() => { for (;;) hoard.push(openSync('/dev/null', 'r')) }, { code: 'EMFILE' })
    heard = hear()
    await until(() => statSync(failures).size > 0)
    const [began, first] = [performance.now(), statSync(failures).size]
    await setTimeout(1000)
    const [tries, seconds] = [statSync(failures).size - first, (performance.now() - began) / 1000]
    // One that does not wait tries some ten thousand times a second.
    assert.ok(tries <= 20 * seconds, `${tries} tries in ${seconds} s`)
    assert.deepEqual(logged, [])
  } finally {
    for (const fd of hoard) closeSync(fd)
    limit(`--nofile=${before}:`)
  }
  assert.equal(await heard, '127.0.0.1')
})
