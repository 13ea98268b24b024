import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '@engine/api/client'
import { api } from '../harness/daemon.ts'
import { answering, FakeDaemons, type FakeDaemon } from '../harness/fake-daemon.ts'
import { UnixDatagrams } from '../harness/unix-datagrams.ts'

describe("a daemon's socket", () => {
  it('is for root and its group, and gone at the end with lock and pidfile', async () => {
    await using daemons = new FakeDaemons()
    const daemon = daemons.start(daemons.settings('a', { group: '7' }))
    await answering(daemons.socket('a'))
    const { mode, uid, gid } = statSync(daemons.socket('a'))
    assert.deepEqual([mode & 0o7777, uid, gid], [0o660, 0, 7])
    assert.equal(readFileSync(join(daemons.directory, 'a.pid'), 'utf8'), `${daemon.child.pid}\n`)
    assert.equal(readFileSync(`/proc/${daemon.child.pid}/comm`, 'utf8'), 'engined\n')
    daemon.child.kill('SIGTERM')
    assert.equal(await daemon.ended, 0, daemon.stderr())
    assert.deepEqual(readdirSync(daemons.directory).filter((name) => /^\.|sock|pid|lock/.test(name)), [])
  })

  it('is not taken from a daemon that lives', async () => {
    await using daemons = new FakeDaemons()
    const first = daemons.start(daemons.settings('a'))
    await answering(daemons.socket('a'))
    const second = daemons.start({ ...daemons.settings('b'), hosts: [`unix://${daemons.socket('a')}`] })
    assert.equal(await second.ended, 1)
    assert.ok(second.stderr().includes(`engined: socket ${daemons.socket('a')} is in use by another engined (pid ${first.child.pid})`), second.stderr())
    await answering(daemons.socket('a'))
    assert.equal(first.child.exitCode, null)
  })

  it('and the names that are the host’s are not shared by two daemons', async () => {
    await using daemons = new FakeDaemons()
    const settings = daemons.settings('a')
    const first = daemons.start(settings)
    await answering(daemons.socket('a'))
    for (const [key, what] of [['exec-root', 'exec-root'], ['bridge', 'bridge'], ['nftables-table', 'nftables table'], ['cgroup-parent', 'cgroup parent']] as const) {
      const second = daemons.start({ ...daemons.settings('b'), [key]: settings[key] })
      assert.equal(await second.ended, 1)
      assert.ok(second.stderr().includes(`engined: ${what} ${String(settings[key])} is in use by another engined (pid ${first.child.pid})`), second.stderr())
    }
    const third = daemons.start(daemons.settings('b'))
    await answering(daemons.socket('b'))
    assert.equal(third.child.exitCode, null)
  })

  it('goes to exactly one of many that start at once, again after that one is killed', async () => {
    await using daemons = new FakeDaemons()
    const hosts = [`unix://${daemons.socket('shared')}`]
    for (let round = 0; round < 2; round++) {
      const started = Array.from({ length: 5 }, (_, index) => daemons.start({ ...daemons.settings(`${round}-${index}`), hosts }))
      await answering(daemons.socket('shared'))
      const isAlive = (daemon: FakeDaemon): boolean => daemon.child.exitCode === null && daemon.child.signalCode === null
      for (let tries = 0; tries < 400 && started.filter(isAlive).length > 1; tries++) await sleep(25)
      // Time for the last one to end, if it should.
      await sleep(200)
      const [winner, ...others] = started.filter(isAlive)
      assert.ok(winner !== undefined && others.length === 0, started.map((daemon) => daemon.stderr()).join(''))
      await answering(daemons.socket('shared'))
      winner.child.kill('SIGKILL')
      await winner.ended
      assert.ok(existsSync(daemons.socket('shared')), 'a killed daemon leaves its socket')
    }
  })

  it('is not taken from another program, and no other file is', async () => {
    await using daemons = new FakeDaemons()
    const path = daemons.socket('a')
    const foreign = createHttpServer((_request, response) => response.end('foreign'))
    await new Promise<void>((resolve) => foreign.listen(path, resolve))
    try {
      const daemon = daemons.start(daemons.settings('a'))
      assert.equal(await daemon.ended, 1)
      assert.ok(daemon.stderr().includes(`cannot listen on ${path}: another program does`), daemon.stderr())
      assert.equal((await api(path, 'GET', '/')).text, 'foreign')
      assert.deepEqual(daemon.said.map(({ verb }) => verb), ['open', 'close'])
    } finally {
      await new Promise((resolve) => foreign.close(resolve))
    }
    writeFileSync(daemons.socket('b'), 'precious')
    const other = daemons.start(daemons.settings('b'))
    assert.equal(await other.ended, 1)
    assert.equal(readFileSync(daemons.socket('b'), 'utf8'), 'precious')
  })

  it('comes from systemd when it is passed', async () => {
    await using daemons = new FakeDaemons()
    const passed = createServer()
    await new Promise<void>((resolve) => passed.listen(daemons.socket('made'), resolve))
    // Under another name it stays when ours is closed, as it must be: both would accept from it.
    renameSync(daemons.socket('made'), daemons.socket('passed'))
    const handle = (passed as Server & { readonly _handle: { readonly fd: number } })._handle
    const daemon = daemons.start({ ...daemons.settings('a'), hosts: ['fd://'] }, {
      around: ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', 'sh'],
      descriptors: [handle.fd],
    })
    await new Promise((resolve) => passed.close(resolve))
    await answering(daemons.socket('passed'))
    daemon.child.kill('SIGTERM')
    assert.equal(await daemon.ended, 0)
    assert.ok(existsSync(daemons.socket('passed')), "systemd's socket stays")
    const alone = daemons.start({ ...daemons.settings('b'), hosts: ['fd://'] })
    assert.equal(await alone.ended, 1)
    assert.match(alone.stderr(), /systemd has passed no sockets/)
  })

  it('can be several, tcp among them; none stays when one fails', async () => {
    await using daemons = new FakeDaemons()
    const taken = createServer()
    const port = await new Promise<number>((resolve) => taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port)))
    const hosts = [`unix://${daemons.socket('a')}`, `tcp://127.0.0.1:${port}`]
    try {
      const daemon = daemons.start({ ...daemons.settings('a'), hosts })
      assert.equal(await daemon.ended, 1)
      assert.match(daemon.stderr(), /cannot listen: .*EADDRINUSE/)
      assert.equal(existsSync(daemons.socket('a')), false)
    } finally {
      await new Promise((resolve) => taken.close(resolve))
    }
    const daemon = daemons.start({ ...daemons.settings('a'), hosts })
    await answering(daemons.socket('a'))
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/_ping`)).text(), 'OK')
    assert.match(daemon.stderr(), /is root on this machine/)
  })

  it('speaks TLS, and to clients with a certificate only', async (t) => {
    await using daemons = new FakeDaemons()
    const file = (name: string): string => join(daemons.directory, name)
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe', cwd: daemons.directory })
    try {
      openssl('version')
    } catch {
      return t.skip('openssl is not there')
    }
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca', '-days', '2')
    for (const name of ['server', 'client']) {
      openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/CN=localhost')
      openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', `${name}.pem`, '-days', '2')
    }
    const port = 20_000 + (process.pid % 20_000)
    daemons.start({
      ...daemons.settings('a'),
      hosts: [`unix://${daemons.socket('a')}`, `tcp://127.0.0.1:${port}`],
      tlsverify: true, tlscacert: file('ca.pem'), tlscert: file('server.pem'), tlskey: file('server.key'),
    })
    await answering(daemons.socket('a'))
    const curl = (...args: string[]): string => execFileSync('curl', ['-sS', '--cacert', file('ca.pem'), '--connect-to', `localhost:${port}:127.0.0.1:${port}`, ...args], { encoding: 'utf8', stdio: 'pipe' })
    const client = ['--cert', file('client.pem'), '--key', file('client.key')]
    assert.equal(curl(...client, `https://localhost:${port}/_ping`), 'OK')
    assert.throws(() => curl(`https://localhost:${port}/_ping`))
    // Hijacked, over TLS.
    const answer = curl(...client, '-H', 'Content-Type: application/json', '-d', '{"Detach":true}', '-w', '%{http_code}', `https://localhost:${port}/exec/x/start`, '--next', '-sS', '--cacert', file('ca.pem'), ...client, '--connect-to', `localhost:${port}:127.0.0.1:${port}`, `https://localhost:${port}/_ping`)
    assert.equal(answer, '200OK')
  })
})

describe('two daemons', () => {
  it('have what their own configuration says, and share no directory', async () => {
    await using daemons = new FakeDaemons()
    const a = daemons.start(daemons.settings('a', { bridge: 'bra', 'nftables-table': 'ta', 'cgroup-parent': '/a' }))
    const b = daemons.start(daemons.settings('b', { bridge: 'brb', 'nftables-table': 'tb', 'cgroup-parent': '/b' }))
    await Promise.all([answering(daemons.socket('a')), answering(daemons.socket('b'))])
    const [ours, theirs] = [a.said[0]?.value ?? {}, b.said[0]?.value ?? {}]
    for (const key of ['dataRoot', 'execRoot', 'bridge', 'nftablesTable', 'cgroupParent']) assert.notEqual(ours[key], theirs[key], key)
    assert.deepEqual([ours['bridge'], theirs['bridge']], ['bra', 'brb'])
    const third = daemons.start({ ...daemons.settings('c'), 'exec-root': daemons.settings('a')['exec-root'] })
    assert.equal(await third.ended, 1)
    assert.ok(third.stderr().includes(`exec-root ${String(daemons.settings('a')['exec-root'])} is in use by another engined (pid ${a.child.pid})`), third.stderr())
    assert.deepEqual(third.said, [])
    const torn = daemons.start(daemons.settings('a'), { flags: ['--teardown'] })
    assert.equal(await torn.ended, 1)
    assert.deepEqual(torn.said, [])
    a.child.kill('SIGKILL')
    await a.ended
    const again = daemons.start(daemons.settings('a'), { flags: ['--teardown'] })
    assert.equal(await again.ended, 0, again.stderr())
    assert.deepEqual(again.said.map(({ verb }) => verb), ['teardown'])
    assert.equal(existsSync(daemons.socket('a')), false)
    await answering(daemons.socket('b'))
  })
})

describe('the end of a daemon', () => {
  it('leaves containers running unless it is told to stop them', async () => {
    await using daemons = new FakeDaemons()
    for (const [settings, stopContainers] of [[{}, false], [{ 'live-restore': false }, true]] as const) {
      const daemon = daemons.start(daemons.settings('a', settings))
      await answering(daemons.socket('a'))
      daemon.child.kill('SIGINT')
      assert.equal(await daemon.ended, 0)
      assert.deepEqual(daemon.said.at(-1), { verb: 'close', value: { stopContainers } })
    }
  })

  it("asks systemd why, when it is systemd's", async () => {
    await using daemons = new FakeDaemons()
    // The daemon's place in systemd's hierarchy, and a systemctl that knows of a job for that unit.
    const unit = `engine-test-${process.pid}.service`
    const root = existsSync('/sys/fs/cgroup/systemd') ? '/sys/fs/cgroup/systemd' : '/sys/fs/cgroup'
    const group = join(root, unit)
    const bin = join(daemons.directory, 'bin')
    mkdirSync(bin)
    mkdirSync(group)
    try {
      for (const [script, stopContainers] of [
        [`echo "1 ${unit} stop running"`, true],
        [`echo "1 ${unit} restart running"`, false],
        ['echo "No jobs running."', false],
        ['exit 1', false],
      ] as const) {
        writeFileSync(join(bin, 'systemctl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
        const daemon = daemons.start(daemons.settings('a'), {
          environment: { INVOCATION_ID: 'x', PATH: `${bin}:${process.env['PATH'] ?? ''}` },
          around: ['sh', '-c', `echo $$ >${group}/cgroup.procs; exec "$@"`, 'sh'],
        })
        await answering(daemons.socket('a'))
        daemon.child.kill('SIGTERM')
        assert.equal(await daemon.ended, 0)
        assert.deepEqual(daemon.said.at(-1), { verb: 'close', value: { stopContainers } }, script)
      }
    } finally {
      rmdirSync(group)
    }
  })

  it('ends streams, and soon', async () => {
    await using daemons = new FakeDaemons()
    const daemon = daemons.start(daemons.settings('a'))
    await answering(daemons.socket('a'))
    const attached = await connect(`unix://${daemons.socket('a')}`).hijack('POST', '/containers/x/attach', { query: { stdin: true, stdout: true, stream: true } })
    const ended = new Promise((resolve) => attached.socket.once('end', resolve))
    attached.socket.resume()
    const began = performance.now()
    daemon.child.kill('SIGTERM')
    assert.equal(await daemon.ended, 0)
    await ended
    assert.ok(performance.now() - began < 2500)
  })

  it('tells systemd when it is ready and when it stops', async () => {
    await using daemons = new FakeDaemons()
    const receiver = new UnixDatagrams(join(daemons.directory, 'notify'))
    try {
      const daemon = daemons.start(daemons.settings('a'), { environment: { NOTIFY_SOCKET: receiver.path } })
      await answering(daemons.socket('a'))
      assert.equal(receiver.receive(), 'READY=1')
      daemon.child.kill('SIGTERM')
      assert.equal(await daemon.ended, 0)
      assert.match(receiver.receive() ?? '', /^STOPPING=1\nEXTEND_TIMEOUT_USEC=\d+$/)
    } finally {
      receiver.close()
    }
  })
})

describe('engined', () => {
  it('checks its configuration and ends', async () => {
    await using daemons = new FakeDaemons()
    const good = daemons.start(daemons.settings('a', { features: {} }), { flags: ['--validate'] })
    assert.equal(await good.ended, 0)
    assert.equal(good.stderr(), 'warning: features has no effect on engine\n')
    const bad = daemons.start({ bridge: 5 }, { flags: ['--validate'] })
    assert.equal(await bad.ended, 1)
    assert.match(bad.stderr(), /^engined: invalid configuration: bridge: /)
    assert.equal(existsSync(join(daemons.directory, 'a-data')), false)
  })

  it('serves metrics when asked to', async () => {
    await using daemons = new FakeDaemons()
    const port = 40_000 + (process.pid % 20_000)
    daemons.start(daemons.settings('a', { 'metrics-addr': `127.0.0.1:${port}` }))
    await answering(daemons.socket('a'))
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    assert.match(text, /engine_http_request_duration_seconds_count\{route="GET \/_ping",status="200"\} [1-9]/)
    assert.match(text, /engine_containers\{state="running"\} 0/)
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 404)
  })
})
