import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { endOfArchive, newEntry, padding, writeEntry } from '@engine/image'
import type { Client } from '@engine/api/client'
import { createContainer, execIn, startContainer } from '../harness/containers.ts'
import type { TestDaemon } from '../harness/daemon.ts'
import { Scene } from '../harness/scene.ts'

/* A container's files, its volumes and the archives for them are an attacker's. The directory `outside` stands for the host. */

let scene: Scene
let daemon: TestDaemon
let client: Client
let outside = ''

before(async () => {
  scene = await Scene.open('engine-outside-')
  ;({ daemon, client, directory: outside } = scene)
  writeFileSync(join(outside, 'file'), 'of the host')
  chmodSync(join(outside, 'file'), 0o640)
})
after(() => scene?.[Symbol.asyncDispose]())

function untouched(): void {
  assert.deepEqual(readdirSync(outside), ['file'])
  assert.equal(readFileSync(join(outside, 'file'), 'utf8'), 'of the host')
  assert.equal(statSync(join(outside, 'file')).mode & 0o7777, 0o640)
}

const tar = (...parts: readonly Buffer[]): Buffer => Buffer.concat([...parts, endOfArchive])
const file = (path: string, content = 'of the attacker', mode = 0o777): Buffer => {
  const bytes = Buffer.from(content)
  return Buffer.concat([writeEntry(newEntry('file', path, { size: bytes.length, mode })), bytes, padding(bytes.length)])
}
const link = (path: string, target: string): Buffer => writeEntry(newEntry('symlink', path, { linkPath: Buffer.from(target) }))
const put = (id: string, path: string, body: Buffer): Promise<unknown> => client.request('PUT', `/containers/${id}/archive`, { query: { path }, body })
async function get(id: string, path: string): Promise<Buffer> {
  const { body } = await client.stream('GET', `/containers/${id}/archive`, { query: { path } })
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
const ignoringErrors = async (work: Promise<unknown>): Promise<void> => void (await work.catch(() => undefined))

describe('docker cp', () => {
  it('CVE-2018-15664: follows links of a container inside it only, also while they are swapped', async () => {
    const up = '../../../../../../../../..'
    const id = await startContainer(client, ['sh', '-c', `mkdir /real; ln -s ${outside} /link; ln -s ${up}${outside} /up; ln -s /proc/1/root${outside} /magic
      mkdir /swap; while :; do mv /swap /keep; ln -s ${outside} /swap; rm /swap; mv /keep /swap; done`], { NetworkMode: 'none' })
    for (const path of ['/link', '/up', '/magic', '/link/.', `/real/${up}${outside}`]) {
      await ignoringErrors(put(id, path, tar(file('file'), file('new'))))
      const found = await get(id, path).catch(() => Buffer.alloc(0))
      assert.ok(!found.includes('of the host'), path)
    }
    for (let i = 0; i < 60; i++) {
      await ignoringErrors(put(id, '/swap', tar(file('file'), file('new'))))
      assert.ok(!(await get(id, '/swap/').catch(() => Buffer.alloc(0))).includes('of the host'))
    }
    untouched()
  })

  it('CVE-2021-41089: changes neither mode nor owner of what a link in an archive names', async () => {
    const id = await createContainer(client, ['true'], { NetworkMode: 'none' })
    const hostile = [
      tar(link('x', join(outside, 'file')), file('x', 'new', 0o4777)),
      tar(link('d', outside), file('d/new'), file('d/file')),
      tar(link('d', outside), writeEntry(newEntry('directory', 'd/', { mode: 0o777 })), file('d/new')),
      tar(link('e', '../../../../../../../../..'), file(`e${outside}/new`)),
      tar(writeEntry(newEntry('hardlink', 'h', { linkPath: Buffer.from(`../../../../../../../..${outside}/file`) })), file('h')),
      tar(link('l', outside), writeEntry(newEntry('hardlink', 'h', { linkPath: Buffer.from('l/file') }))),
      tar(file(`/../../..${outside}/new`)),
      tar(file('a/../../../new')),
    ]
    for (const archive of hostile) await ignoringErrors(put(id, '/tmp', archive))
    untouched()
  })

  it('CVE-2026-41568, CVE-2026-42306: mounts nothing, wherever a container leads the path of a volume', async () => {
    const id = await startContainer(client, ['sh', '-c', 'sleep 1000'], { NetworkMode: 'none', Binds: ['hostile-target:/a/b/c'] })
    await client.request('POST', `/containers/${id}/kill`)
    await client.request('POST', `/containers/${id}/wait`)
    const { body } = await client.request<{ GraphDriver: { Data: { UpperDir: string } } }>('GET', `/containers/${id}/json`)
    const upper = body.GraphDriver.Data.UpperDir
    rmSync(join(upper, 'a'), { recursive: true })
    symlinkSync(outside, join(upper, 'a'))
    for (let i = 0; i < 10; i++) await ignoringErrors(put(id, '/a/b/c', tar(file('new'))))
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    assert.ok(!mounts.includes(outside) && !mounts.includes('hostile-target') && !mounts.includes(`${id}/merged`), mounts)
    untouched()
  })

  it('CVE-2017-1002101: a volume and its subpath end where the volume does', async () => {
    await client.request('POST', '/volumes/create', { body: { Name: 'hostile' } })
    const volume = join(daemon.dataRoot, 'volumes/hostile/_data')
    mkdirSync(join(volume, 'sub'))
    symlinkSync(outside, join(volume, 'link'))
    const Mounts = [{ Type: 'volume', Source: 'hostile', Target: '/v', VolumeOptions: { Subpath: 'sub' } }]
    const id = await createContainer(client, ['true'], { NetworkMode: 'none', Binds: ['hostile:/whole'], Mounts })
    await ignoringErrors(put(id, '/whole/link', tar(file('new'))))
    rmSync(join(volume, 'sub'), { recursive: true })
    symlinkSync(outside, join(volume, 'sub'))
    await ignoringErrors(put(id, '/v', tar(file('new'))))
    assert.ok(!(await get(id, '/v').catch(() => Buffer.alloc(0))).includes('of the host'))
    untouched()
  })

  it('CVE-2019-14271, CVE-2026-41567: loads and runs nothing that a container has', async () => {
    const id = await createContainer(client, ['true'], { NetworkMode: 'none' })
    const evil = `#!/bin/sh\ntouch ${outside}/ran\n`
    await put(id, '/', tar(...['usr/bin/xz', 'usr/bin/bzip2', 'usr/bin/unpigz', 'bin/xz', 'lib/libnss_files.so.2'].map((path) => file(path, evil))))
    const packed = execFileSync('xz', ['-c'], { input: tar(file('inner')) })
    await put(id, '/tmp', packed)
    assert.ok((await get(id, '/tmp/inner')).includes('of the attacker'))
    untouched()
  })

  it('never opens a device or waits for a FIFO, and refuses what is endless', async () => {
    const id = await startContainer(client, ['sh', '-c', 'mkdir /d; mkfifo /d/fifo; mknod /d/null c 1 3; while :; do :> /d/x; rm /d/x; mkfifo /d/x; rm /d/x; done'], { NetworkMode: 'none' })
    for (let i = 0; i < 20; i++) assert.ok((await get(id, '/d')).includes('d/fifo'))
    await execIn(client, id, ['sh', '-c', 'ln -s /loop-b /loop-a; ln -s /loop-a /loop-b'])
    await assert.rejects(get(id, '/loop-a/'), { message: 'lstat /loop-a/: too many levels of symbolic links' })
    await assert.rejects(put(id, '/loop-a', tar()), { message: 'lstat /loop-a: too many levels of symbolic links' })
    const deep = Array.from({ length: 1500 }, () => 'd').join('/')
    await assert.rejects(put(id, '/tmp', tar(file(deep))), /deeper than/)
    await assert.rejects(put(id, '/tmp', Buffer.concat([writeEntry(newEntry('file', 'x', { size: 2 ** 42 })), Buffer.alloc(512)])), /larger than/)
  })

  it('leaves the host as it is when a bind is renamed away under it', async () => {
    const bound = mkdtempSync(join(tmpdir(), 'engine-bound-'))
    mkdirSync(join(bound, 'inner'))
    const id = await createContainer(client, ['true'], { NetworkMode: 'none', Binds: [`${bound}/inner:/b`] })
    renameSync(join(bound, 'inner'), join(bound, 'gone'))
    symlinkSync('gone', join(bound, 'inner'))
    await put(id, '/b/..', tar(file('tmp/new')))
    assert.deepEqual(readdirSync(join(bound, 'gone')), [])
    rmSync(bound, { recursive: true })
    untouched()
  })
})
