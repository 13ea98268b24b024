import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Client } from '@engine/api/client'
import { engineOk, run } from '../harness/command-line.ts'
import { createContainer, execIn, logOf, startContainer, until } from '../harness/containers.ts'
import { dist, type TestDaemon } from '../harness/daemon.ts'
import { Scene } from '../harness/scene.ts'

let scene: Scene
let daemon: TestDaemon
let client: Client
let work = ''

before(async () => {
  scene = await Scene.open('engine-volume-')
  ;({ daemon, client, directory: work } = scene)
})
after(() => scene?.[Symbol.asyncDispose]())

const create = (Name: string, DriverOpts: Record<string, string>) => client.request('POST', '/volumes/create', { body: { Name, DriverOpts } })
const mounted = (name: string): boolean => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${daemon.dataRoot}/volumes/${name}/_data `)
const using = (name: string, mode = '') => ({ NetworkMode: 'none', Binds: [`${name}:/v${mode}`] })

describe('volumes with options', () => {
  it('are mounted while containers run, once for all, also when engined was killed meanwhile', async () => {
    await create('memory', { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000,noexec' })
    assert.deepEqual((await client.request<{ Options: object }>('GET', '/volumes/memory')).body.Options, { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000,noexec' })
    assert.equal(mounted('memory'), false)
    const first = await startContainer(client, ['sleep', '1000'], using('memory'))
    const second = await startContainer(client, ['sleep', '1000'], using('memory'))
    assert.match((await execIn(client, first, ['grep', ' /v ', '/proc/mounts'])).output, /^tmpfs \/v tmpfs rw,noexec,relatime,size=1024k,uid=1000/)
    await execIn(client, first, ['sh', '-c', 'echo shared > /v/file'])
    assert.equal((await execIn(client, second, ['cat', '/v/file'])).output, 'shared\n')
    await client.request('POST', `/containers/${first}/kill`)
    await daemon.stop('SIGKILL')
    await daemon.start()
    assert.equal(mounted('memory'), true)
    assert.equal((await execIn(client, second, ['cat', '/v/file'])).output, 'shared\n')
    await client.request('POST', `/containers/${second}/kill`)
    await until('it is unmounted', () => !mounted('memory'))
    await assert.rejects(client.request('DELETE', '/volumes/memory'), /volume is in use/)
    await daemon.stop('SIGKILL')
    await daemon.start()
    for (const id of [first, second]) await client.request('DELETE', `/containers/${id}`, { query: { force: true } })
    await client.request('DELETE', '/volumes/memory')
  })

  it('bind directories, read-only too, and fail a start in the words of Docker', async () => {
    mkdirSync(join(work, 'bound'))
    writeFileSync(join(work, 'bound/file'), 'of the host')
    await create('bound', { type: 'none', device: join(work, 'bound'), o: 'bind,ro' })
    const id = await startContainer(client, ['sh', '-c', 'cat /v/file; touch /v/new 2>&1'], using('bound'))
    await client.request('POST', `/containers/${id}/wait`)
    assert.equal(await logOf(client, id), 'of the hosttouch: /v/new: Read-only file system\n')
    // cp sees it, and leaves nothing mounted.
    assert.ok((await engineOk(daemon.host, 'cp', `${id}:/v/file`, '-')).includes('of the host'))
    await until('it is unmounted', () => !mounted('bound'))
    await create('missing', { type: 'none', device: '/nope', o: 'bind' })
    const path = `${daemon.dataRoot}/volumes/missing/_data`
    const message = `error while mounting volume '${path}': failed to mount local volume: mount /nope:${path}, flags: 0x1000: no such file or directory`
    await assert.rejects(createContainer(client, ['true'], using('missing')).then((made) => client.request('POST', `/containers/${made}/start`)), { message })
    await create('nfs', { type: 'nfs', device: ':/x', o: 'addr=no-such-host.invalid,nfsvers=4' })
    await create('nfs-empty', { type: 'nfs', device: ':/x', o: 'addr=' })
    await assert.rejects(createContainer(client, ['true'], using('nfs-empty')).then((made) => client.request('POST', `/containers/${made}/start`)), /mount :\/x:.*, data: addr=: /)
    const nowhere = `error while mounting volume '${daemon.dataRoot}/volumes/nfs/_data': error resolving passed in network volume address: lookup no-such-host.invalid: no such host`
    await assert.rejects(createContainer(client, ['true'], using('nfs')).then((made) => client.request('POST', `/containers/${made}/start`)), { message: nowhere })
  })

  it('go from one engine to another as tar, while a container writes', async () => {
    const id = await startContainer(client, ['sh', '-c', 'mkdir -p /v/sub; echo kept > /v/sub/file; chown 5:6 /v/sub/file; chown 7:8 /v; chmod 1770 /v; while :; do date > /v/busy; mkdir -p /v/t/u; echo > /v/t/u/f; mv /v/t/u/f /v/t; rm -r /v/t; done'], using('live'))
    await until('it has written', async () => (await execIn(client, id, ['cat', '/v/busy'])).code === 0)
    const archive = join(work, 'live.tar')
    await engineOk(daemon.host, 'volume', 'export', '-o', archive, 'live')
    assert.match(execFileSync('tar', ['--numeric-owner', '-tvf', archive], { encoding: 'utf8' }), /5\/6 +5 .* sub\/file\n/)
    execFileSync('gzip', [archive])
    await engineOk(daemon.host, 'volume', 'import', 'copy', `${archive}.gz`)
    assert.equal(readFileSync(join(daemon.dataRoot, 'volumes/copy/_data/sub/file'), 'utf8'), 'kept\n')
    // The volume's own directory is part of it: databases want it to be theirs.
    const { uid, gid, mode } = statSync(join(daemon.dataRoot, 'volumes/copy/_data'))
    assert.deepEqual([uid, gid, mode & 0o7777], [7, 8, 0o1770])
    assert.match(await engineOk(daemon.host, 'volume', 'snapshot', 'live'), /^live-\d{8}T\d{6}Z\n$/)
    assert.equal(await engineOk(daemon.host, 'volume', 'clone', '--label', 'a=b', 'live', 'second'), 'second\n')
    assert.equal(await engineOk(daemon.host, 'volume', 'rename', 'second', 'third'), 'third\n')
    // What cannot be taken in leaves no new volume, and an old one.
    writeFileSync(join(work, 'cut.tar'), execFileSync('gzip', ['-dc', `${archive}.gz`]).subarray(0, 612))
    for (const name of ['new', 'copy']) assert.match((await run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), '-H', daemon.host, 'volume', 'import', name, join(work, 'cut.tar')])).stderr, /unexpected EOF/)
    assert.deepEqual([await engineOk(daemon.host, 'volume', 'ls', '-q', '-f', 'name=new'), await engineOk(daemon.host, 'volume', 'ls', '-q', '-f', 'name=copy')], ['', 'copy\n'])
    // An archive is hostile, and so is what a volume holds.
    symlinkSync(work, join(daemon.dataRoot, 'volumes/third/_data/out'))
    mkdirSync(join(work, 'hostile/out'), { recursive: true })
    writeFileSync(join(work, 'hostile/out/new'), '')
    const tar = execFileSync('tar', ['-C', join(work, 'hostile'), '-cf', '-', 'out/new'])
    await client.request('PUT', '/volumes/third/archive', { body: tar }).catch(() => undefined)
    assert.throws(() => readFileSync(join(work, 'new')), { code: 'ENOENT' })
    await client.request('DELETE', `/containers/${id}`, { query: { force: true } })
    const { stdout } = await run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), '-H', daemon.host, 'volume', 'prune', '-a', '-f', '--filter', 'label=a'])
    assert.match(stdout, /^Deleted Volumes:\nthird\n\nTotal reclaimed space: /)
  })
})
