import { dockerMissing } from '../harness/docker-command.ts'
import assert from 'node:assert/strict'
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { answering, FakeDaemons } from '../harness/fake-daemon.ts'

/** The docker command against the real HTTP side with an engine that does nothing: what is tried is the wire. */
describe('the docker command', { skip: dockerMissing }, () => {
  const docker = (host: string, args: readonly string[], input?: Buffer): SpawnSyncReturns<Buffer> =>
    spawnSync('docker', ['-H', host, ...args], { input: input ?? Buffer.alloc(0), maxBuffer: 1 << 26, timeout: 30_000, env: { ...process.env, DOCKER_HOST: undefined, DOCKER_BUILDKIT: '0' } })

  it('understands answers, errors and streams', async () => {
    await using daemons = new FakeDaemons()
    daemons.start(daemons.settings('a'))
    await answering(daemons.socket('a'))
    const host = `unix://${daemons.socket('a')}`
    const said = (args: readonly string[], input?: Buffer): string => {
      const { status, stdout, stderr } = docker(host, args, input)
      assert.equal(status, 0, `${args.join(' ')}: ${stderr.toString()}`)
      return stdout.toString()
    }
    assert.match(said(['version']), /Server: engine[^]*API version: +1\.51/)
    assert.match(said(['info']), /Storage Driver: overlay2[^]*Swarm: inactive/)
    assert.match(said(['ps', '-a']), /^CONTAINER ID/)
    assert.equal(said(['wait', 'x']), '0\n')
    assert.equal(said(['events', '--since', '0', '--until', '1']), '')
    assert.equal(said(['import', '-', 'a:1'], Buffer.alloc(1000)), '1000\n')
    const logs = docker(host, ['logs', 'x'])
    assert.deepEqual([logs.stdout.toString(), logs.stderr.toString()], ['out\n', 'err\n'])
    const missing = docker(host, ['start', 'nope'])
    assert.equal(missing.status, 1)
    assert.match(missing.stderr.toString(), /Error response from daemon: No such container: nope/)
    const absent = docker(host, ['plugin', 'install', 'n'])
    assert.match(absent.stderr.toString(), /Error response from daemon: GET \/plugins\/privileges is not supported by this version of engine/)
  })

  it('moves 30 MB through a process and gets them all back', async () => {
    await using daemons = new FakeDaemons()
    daemons.start(daemons.settings('a'))
    await answering(daemons.socket('a'))
    const input = randomBytes(30 << 20)
    const { stdout, status, stderr } = docker(`unix://${daemons.socket('a')}`, ['exec', '-i', 'x', 'cat'], input)
    assert.equal(status, 0, stderr.toString())
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
    assert.equal(digest(stdout), digest(input))
  })
})
