import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chownSync, chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import type { Client } from '@engine/api/client'
import { createContainer, execIn, inspectContainer, startContainer, until } from '../harness/containers.ts'
import type { TestDaemon } from '../harness/daemon.ts'
import { Scene } from '../harness/scene.ts'

let scene: Scene
let daemon: TestDaemon
let client: Client
let work = ''

before(async () => {
  scene = await Scene.open('engine-archive-')
  ;({ daemon, client, directory: work } = scene)
})
after(() => scene?.[Symbol.asyncDispose]())

/** GNU tar's listing of what a container has at a path. */
async function listing(id: string, path: string): Promise<string[]> {
  const { body } = await client.stream('GET', `/containers/${id}/archive`, { query: { path } })
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(Buffer.from(chunk))
  const { stdout, status, stderr } = spawnSync('tar', ['-P', '-tf', '-'], { input: Buffer.concat(chunks), encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout.trim().split('\n')
}

/** Sends a tar of GNU tar's into a container. */
async function put(id: string, path: string, tar: Buffer, query: object = {}): Promise<void> {
  await client.request('PUT', `/containers/${id}/archive`, { query: { path, ...query }, body: tar })
}

const tarOf = (directory: string, ...names: readonly string[]): Buffer => execFileSync('tar', ['--numeric-owner', '-C', directory, '-cf', '-', ...names], { maxBuffer: 1 << 28 })
const stat = async (id: string, path: string): Promise<Record<string, unknown>> => {
  const { headers } = await client.request('HEAD', `/containers/${id}/archive`, { query: { path } })
  return JSON.parse(Buffer.from(String(headers['x-docker-container-path-stat']), 'base64').toString()) as Record<string, unknown>
}

function tree(name: string): string {
  const directory = join(work, name)
  mkdirSync(join(directory, 'sub/empty'), { recursive: true })
  writeFileSync(join(directory, 'sub/file'), 'content')
  chownSync(join(directory, 'sub/file'), 1234, 5678)
  chmodSync(join(directory, 'sub/file'), 0o4750)
  symlinkSync('file', join(directory, 'sub/link'))
  return directory
}

describe('files of containers', () => {
  it('are copied into one that was never started, volumes included, and are there when it runs', async () => {
    const directory = tree('into')
    const id = await createContainer(client, ['sleep', '1000'], { NetworkMode: 'none', Binds: ['into-volume:/made/by/volume'] })
    await put(id, '/tmp', tarOf(directory, 'sub'))
    await put(id, '/', tarOf(directory, '--transform', 's,^sub,made/by/volume,', 'sub'))
    assert.ok(existsSync(join(daemon.dataRoot, 'volumes/into-volume/_data/file')), 'what lies below a mount point is in the volume')
    await client.request('POST', `/containers/${id}/start`)
    const root = `/proc/${(await inspectContainer(client, id)).State.Pid}/root`
    const file = statSync(join(root, 'tmp/sub/file'))
    assert.deepEqual([file.uid, file.gid, file.mode & 0o7777], [1234, 5678, 0o4750])
    assert.equal(lstatSync(join(root, 'tmp/sub/link')).isSymbolicLink(), true)
    assert.equal(readFileSync(join(root, 'made/by/volume/file'), 'utf8'), 'content')
    await client.request('DELETE', `/containers/${id}`, { query: { force: true } })
  })

  it('come out of a running one and a stopped one alike, named as GNU tar reads them', async () => {
    const id = await startContainer(client, ['sh', '-c', 'mkdir /d; echo x > /d/x; ln /d/x /d/y; ln -s /d /l; mkfifo /d/f; sleep 1000'], { NetworkMode: 'none', Binds: ['out-volume:/d/vol'] })
    await until('the container has made its files', async () => (await listing(id, '/d')).includes('d/f'))
    writeFileSync(join(daemon.dataRoot, 'volumes/out-volume/_data/in-volume'), '')
    for (const state of ['running', 'stopped']) {
      assert.deepEqual(await listing(id, '/d'), ['d/', 'd/f', 'd/vol/', 'd/vol/in-volume', 'd/x', 'd/y'], state)
      assert.deepEqual(await listing(id, '/d/.'), ['./', './f', './vol/', './vol/in-volume', './x', './y'], state)
      assert.deepEqual(await listing(id, '/l'), ['l'], state)
      assert.deepEqual(await listing(id, '/l/'), ['l/', 'l/f', 'l/vol/', 'l/vol/in-volume', 'l/x', 'l/y'], state)
      assert.deepEqual(await listing(id, '/l/vol/../x'), ['x'], state)
      assert.ok((await listing(id, '/')).includes('/bin/busybox'), state)
      assert.deepEqual({ ...await stat(id, '/l'), mtime: '' }, { name: 'l', size: 2, mode: 0o777 + 2 ** 27, mtime: '', linkTarget: '/d' }, state)
      if (state === 'running') await client.request('POST', `/containers/${id}/stop`)
    }
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    assert.ok(!mounts.includes(`${daemon.dataRoot}/overlay2/${id}/merged`), 'no mount is left of it')
  })

  it('are refused in the words of Docker', async () => {
    writeFileSync(join(work, 'sub'), 'a file')
    mkdirSync(join(work, 'other/sub/file'), { recursive: true })
    mkdirSync(join(work, 'etc'), { recursive: true })
    writeFileSync(join(work, 'etc/hosts'), '')
    const id = await createContainer(client, ['true'], { NetworkMode: 'none', Binds: ['ro-volume:/ro:ro', 'rw-volume:/rw'], ReadonlyRootfs: true })
    const writable = await createContainer(client, ['true'], { NetworkMode: 'none', Binds: ['rw-volume:/rw'] })
    const tar = tarOf(tree('refused'), 'sub')
    await put(writable, '/tmp', tar)
    const cases: readonly [() => Promise<unknown>, number, string][] = [
      [() => put(id, '/tmp', tar), 400, 'container rootfs is marked read-only'],
      [() => put(id, '/ro', tar), 400, 'mounted volume is marked read-only'],
      [() => put(writable, '/etc/passwd', tar), 400, 'extraction point is not a directory'],
      [() => put(writable, '/nope', tar), 404, `Could not find the file /nope in container ${writable}`],
      [() => put(writable, '', tar), 400, 'bad parameter: pathcannot be empty'],
      [() => put(writable, '/tmp', tarOf(work, 'sub'), { noOverwriteDirNonDir: 1 }), 400, 'cannot overwrite directory "sub" with non-directory "/tmp"'],
      [() => put(writable, '/tmp', tarOf(join(work, 'other'), 'sub'), { noOverwriteDirNonDir: 1 }), 400, 'cannot overwrite non-directory "sub/file" with directory "/tmp"'],
      [() => put(writable, '/', tarOf(work, '--transform', 's,^sub,rw,', 'sub')), 409, 'RemoveAll rw: device or resource busy'],
      [() => put(writable, '/tmp', tarOf(work, '-P', '--transform', 's,^sub,../sub,', 'sub')), 400, 'invalid entry name "../sub"'],
      [() => put(writable, '/tmp', Buffer.from('this is no archive')), 400, 'unexpected EOF'],
      [() => stat(writable, '/etc/passwd/x'), 400, ''],
      [() => client.request('GET', `/containers/${writable}/archive`, { query: { path: '/etc/passwd/x' } }), 400, 'lstat /etc/passwd/x: not a directory'],
    ]
    for (const [work, status, message] of cases) {
      await assert.rejects(work, (error: { status: number; message: string }) => error.status === status && (message === '' || error.message === message), message)
    }
    await put(id, '/rw', tar)
    assert.ok(existsSync(join(daemon.dataRoot, 'volumes/rw-volume/_data/sub/file')))
  })

  it('may be compressed, and may belong to the user of the container', async () => {
    const tar = tarOf(tree('packed'), 'sub')
    const id = await startContainer(client, ['sleep', '1000'], { NetworkMode: 'none' }, { User: '65534:7' })
    for (const program of ['gzip', 'xz', 'zstd', 'bzip2']) {
      const packed = spawnSync(program, ['-c'], { input: tar })
      if (packed.error !== undefined || !existsSync(`/usr/bin/${program}`) && program !== 'gzip') continue
      await execIn(client, id, ['mkdir', `/tmp/${program}`])
      await put(id, `/tmp/${program}`, packed.stdout, { copyUIDGID: 1 })
      const { output } = await execIn(client, id, ['stat', '-c', '%u:%g %s', `/tmp/${program}/sub/file`])
      assert.equal(output, '65534:7 7\n', program)
    }
    const { body, headers } = await client.stream('GET', `/containers/${id}/archive`, { query: { path: '/etc' }, headers: { 'accept-encoding': 'gzip' } })
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(Buffer.from(chunk))
    assert.equal(headers['content-encoding'], 'gzip')
    assert.match(execFileSync('tar', ['-tzf', '-'], { input: Buffer.concat(chunks), encoding: 'utf8' }), /^etc\/\netc\/group\n/)
  })

  it('of any size pass without being held in memory, and a client that breaks off leaves nothing', async () => {
    const id = await startContainer(client, ['sleep', '1000'], { NetworkMode: 'none' })
    const size = 256 << 20
    const hash = createHash('sha256')
    async function* content(): AsyncGenerator<Buffer> {
      yield execFileSync('sh', ['-c', `truncate -s ${size} ${join(work, 'big')} && tar -C ${work} -cf - big | head -c 512`])
      for (let done = 0; done < size; done += 1 << 20) {
        const piece = Buffer.alloc(1 << 20, done >> 20)
        hash.update(piece)
        yield piece
      }
      yield Buffer.alloc(1024)
    }
    const before = rss(daemon.pid())
    await client.request('PUT', `/containers/${id}/archive`, { query: { path: '/tmp' }, body: Readable.from(content(), { objectMode: false }) })
    assert.ok(rss(daemon.pid()) - before < 160 << 10, `engined grew by ${rss(daemon.pid()) - before} KiB`)
    assert.equal((await execIn(client, id, ['sha256sum', '/tmp/big'])).output.slice(0, 64), hash.digest('hex'))
    // Ends when the reader is gone: the next copies find threads.
    for (let i = 0; i < 20; i++) {
      const { body } = await client.stream('GET', `/containers/${id}/archive`, { query: { path: '/tmp/big' } })
      for await (const _chunk of body) break
    }
    assert.deepEqual(await listing(id, '/etc/passwd'), ['passwd'])
  })

  it('that a container has changed are told, as the docker command prints them', async () => {
    const id = await startContainer(client, ['sh', '-c', 'echo > /new; rm /etc/group; echo >> /etc/passwd'], { NetworkMode: 'none', Binds: ['diff-volume:/vol'] })
    await client.request('POST', `/containers/${id}/wait`)
    const { body } = await client.request<{ Path: string; Kind: number }[]>('GET', `/containers/${id}/changes`)
    assert.deepEqual(body, [{ Path: '/etc', Kind: 0 }, { Path: '/etc/group', Kind: 2 }, { Path: '/etc/passwd', Kind: 0 }, { Path: '/new', Kind: 1 }, { Path: '/vol', Kind: 1 }])
    const untouched = await createContainer(client, ['true'])
    assert.equal((await client.request('GET', `/containers/${untouched}/changes`)).body, null)
  })
})

/** KiB */
function rss(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}
