import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { PassThrough, type Duplex, type Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { text } from 'node:stream/consumers'
import { connect } from '@engine/api/client'
import { importBusybox } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { contextTar } from '../harness/kill-points.ts'

/** What is used of dockerode, which has no types of its own. */
interface Dockerode {
  readonly modem: { demuxStream(from: Duplex | Readable, stdout: PassThrough, stderr: PassThrough): void; followProgress(stream: Readable, done: (error: Error | null, lines: readonly Record<string, unknown>[]) => void): void }
  createContainer(options: object): Promise<DockerodeContainer>
  getContainer(id: string): DockerodeContainer
  listContainers(options: object): Promise<{ Id: string; Names: string[] }[]>
  getEvents(options: object): Promise<Readable>
  buildImage(tar: Readable, options: object): Promise<Readable>
  getImage(name: string): { inspect(): Promise<{ Config: { Cmd: string[] } }>; remove(): Promise<unknown> }
  ping(): Promise<Buffer>
  version(): Promise<{ ApiVersion: string }>
}
interface DockerodeContainer {
  readonly id: string
  attach(options: object): Promise<Duplex>
  start(): Promise<unknown>
  wait(): Promise<{ StatusCode: number }>
  logs(options: object): Promise<Readable | Buffer>
  exec(options: object): Promise<{ start(options: object): Promise<Duplex>; inspect(): Promise<{ ExitCode: number }> }>
  inspect(): Promise<{ State: { Running: boolean; ExitCode: number } }>
  putArchive(tar: Buffer, options: object): Promise<unknown>
  getArchive(options: object): Promise<Readable>
  stats(options: object): Promise<{ name: string; pids_stats: { current?: number } }>
  remove(options: object): Promise<unknown>
}

const Docker = createRequire(import.meta.url)('dockerode') as new (options: object) => Dockerode

describe('dockerode', () => {
  let daemon: TestDaemon
  let docker: Dockerode

  before(async () => {
    daemon = await startDaemon()
    docker = new Docker({ socketPath: daemon.socket })
    await importBusybox(connect(daemon.host))
  })
  after(() => daemon?.[Symbol.asyncDispose]())

  /** Both streams of a framed connection, once it has ended. */
  async function demuxed(stream: Duplex | Readable): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const stdout = new PassThrough()
    const stderr = new PassThrough()
    docker.modem.demuxStream(stream, stdout, stderr)
    stream.on('end', () => {
      stdout.end()
      stderr.end()
    })
    const [out, error] = await Promise.all([text(stdout), text(stderr)])
    return { stdout: out, stderr: error }
  }

  it('knows what it speaks to', async () => {
    assert.equal((await docker.ping()).toString(), 'OK')
    assert.equal((await docker.version()).ApiVersion, '1.51')
  })

  for (const hijack of [true, false]) {
    describe(hijack ? 'by 101 UPGRADED' : 'by a 200 that is a pipe', () => {
      // Without hijacking dockerode sends no input to `attach`: its request has no body, and ends when that ends.
      it('attaches', async () => {
        const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', `${hijack ? 'read a; ' : 'a=word; '}echo got $a; echo wrong >&2; exit 3`], OpenStdin: hijack, StdinOnce: hijack })
        const stream = await container.attach({ stream: true, stdin: hijack, stdout: true, stderr: true, hijack })
        const said = demuxed(stream)
        await container.start()
        if (hijack) stream.end('word\n')
        assert.deepEqual(await said, { stdout: 'got word\n', stderr: 'wrong\n' })
        assert.equal((await container.wait()).StatusCode, 3)
        await container.remove({ v: true })
      })

      it('executes in a running container', async () => {
        const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '60'], StopTimeout: 0 })
        await container.start()
        const exec = await container.exec({ Cmd: ['sh', '-c', 'read line; echo $line; echo done >&2; exit 4'], AttachStdin: true, AttachStdout: true, AttachStderr: true })
        const stream = await exec.start({ hijack, stdin: true })
        const said = demuxed(stream)
        stream.write('through the pipe\n')
        assert.deepEqual(await said, { stdout: 'through the pipe\n', stderr: 'done\n' })
        assert.equal((await exec.inspect()).ExitCode, 4)
        await container.remove({ force: true })
      })

      it('has a terminal', async () => {
        const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', 'test -t 1 && echo it$((1))is; exit 5'], Tty: true })
        const stream = await container.attach({ stream: true, stdout: true, hijack })
        const said = text(stream)
        await container.start()
        assert.match(await said, /it1is/)
        assert.equal((await container.wait()).StatusCode, 5)
        await container.remove({})
      })
    })
  }

  it('reads logs, at once and following', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', 'echo one; sleep 0.3; echo two'] })
    await container.start()
    const followed = await container.logs({ follow: true, stdout: true, stderr: true })
    assert.ok(!Buffer.isBuffer(followed))
    assert.equal((await demuxed(followed)).stdout, 'one\ntwo\n')
    const whole = await container.logs({ stdout: true, tail: 1 })
    assert.ok(Buffer.isBuffer(whole) && whole.includes('two') && !whole.includes('one'))
    await container.remove({ force: true })
  })

  it('hears events', async () => {
    const events = await docker.getEvents({ filters: { event: ['create', 'destroy'], type: ['container'] } })
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['true'] })
    await container.remove({})
    const heard: string[] = []
    for await (const chunk of events) {
      for (const line of String(chunk).trim().split('\n')) {
        const { Action, Actor } = JSON.parse(line) as { Action: string; Actor: { ID: string } }
        if (Actor.ID === container.id) heard.push(Action)
      }
      if (heard.length >= 2) break
    }
    assert.deepEqual(heard, ['create', 'destroy'])
  })

  it('builds', async () => {
    const tar = new PassThrough()
    tar.end(contextTar('FROM busybox\nRUN echo x > /x\nCMD ["cat", "/x"]\n'))
    const progress = await docker.buildImage(tar, { t: 'built-by-dockerode' })
    const lines = await new Promise<readonly Record<string, unknown>[]>((resolve, reject) => docker.modem.followProgress(progress, (error, all) => (error === null ? resolve(all) : reject(error))))
    assert.ok(lines.some(({ stream }) => typeof stream === 'string' && stream.startsWith('Successfully built')))
    assert.deepEqual((await docker.getImage('built-by-dockerode').inspect()).Config.Cmd, ['cat', '/x'])
    await docker.getImage('built-by-dockerode').remove()
  })

  it('copies into a container that never ran, and out of it', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['true'] })
    await container.putArchive(contextTar('FROM scratch\n'), { path: '/tmp' })
    const archive = await container.getArchive({ path: '/tmp/Dockerfile' })
    const chunks: Buffer[] = []
    for await (const chunk of archive) chunks.push(Buffer.from(chunk as Buffer))
    assert.equal(execFileSync('tar', ['-xO', 'Dockerfile'], { input: Buffer.concat(chunks), encoding: 'utf8' }), 'FROM scratch\n')
    await container.remove({})
  })

  it('says what is wrong', async () => {
    await assert.rejects(docker.getContainer('absent').inspect(), { statusCode: 404, message: /No such container: absent/ })
    await assert.rejects(docker.createContainer({ Image: 'no-such-image', Cmd: ['true'] }), { statusCode: 404, message: /No such image: no-such-image:latest/ })
    assert.deepEqual(await docker.listContainers({ all: true }), [])
  })
})
