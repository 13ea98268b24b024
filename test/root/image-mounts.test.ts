import assert from 'node:assert/strict'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect, type Client } from '@engine/api/client'
import { createContainer, execIn, importBusybox, startContainer, until } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'

let daemon: TestDaemon
let client: Client

before(async () => {
  daemon = await startDaemon()
  client = connect(daemon.host)
  await importBusybox(client)
  await importBusybox(client, 'tools:1', ['ENV A=1'])
})
after(() => daemon[Symbol.asyncDispose]())

const image = (Source: string, Target: string, Subpath?: string) => ({ Type: 'image', Source, Target, ...(Subpath === undefined ? {} : { ImageOptions: { Subpath } }) })
const mountsOf = (): string => readFileSync('/proc/self/mountinfo', 'utf8')

describe('mounts of images', () => {
  it('are read-only, whole or in part, and gone with their container', async () => {
    const Mounts = [image('tools:1', '/img'), image('tools:1', '/part', 'etc'), image('tools:1', '/file', 'etc/passwd')]
    const { body: made } = await client.request<{ Id: string; Warnings: string[] }>('POST', '/containers/create', { body: { Image: 'busybox', Cmd: ['sleep', '1000'], StopTimeout: 0, HostConfig: { NetworkMode: 'none', Mounts } } })
    assert.deepEqual(made.Warnings, ['Image mount is an experimental feature'])
    await client.request('POST', `/containers/${made.Id}/start`)
    const { output } = await execIn(client, made.Id, ['sh', '-c', 'exec 2>&1; ls /part; head -n 1 /file; /img/bin/busybox true && echo runs; touch /img/x /part/x /file'])
    assert.equal(output, "group\npasswd\nroot:x:0:0:root:/root:/bin/sh\nruns\ntouch: /img/x: Read-only file system\ntouch: /part/x: Read-only file system\ntouch: /file: Read-only file system\n")
    const { body } = await client.request<{ Mounts: { Type: string; Name: string; Source: string; RW: boolean }[] }>('GET', `/containers/${made.Id}/json`)
    const { Source, ...rest } = body.Mounts.find((mount) => (mount as { Destination?: string }).Destination === '/img') as { Source: string }
    assert.deepEqual(rest, { Type: 'image', Name: 'tools:1', Destination: '/img', Mode: '', RW: false, Propagation: 'rprivate' })
    assert.ok(mountsOf().includes(` ${Source} `))
    await assert.rejects(client.request('DELETE', '/images/tools:1'), { status: 409 })
    // A start of engined leaves them alone.
    await daemon.stop('SIGKILL')
    await daemon.start()
    assert.equal((await execIn(client, made.Id, ['ls', '/part'])).output, 'group\npasswd\n')
    await client.request('POST', `/containers/${made.Id}/kill`)
    await until('they are unmounted', () => !mountsOf().includes(` ${Source} `))
    await client.request('DELETE', `/containers/${made.Id}`)
    await client.request('DELETE', '/images/tools:1')
    assert.deepEqual(mountsOf().split('\n').filter((line) => line.includes(`${daemon.dataRoot}/overlay2/`)), [])
  })

  it('are refused in the words of Docker', async () => {
    const create = (mount: object): Promise<string> => createContainer(client, ['true'], { NetworkMode: 'none', Mounts: [mount] })
    const wrong = 'invalid mount config for type "image": '
    await assert.rejects(create(image('', '/x')), { message: `${wrong}field Source must not be empty` })
    await assert.rejects(create(image('nope', '/x')), { status: 404, message: 'No such image: nope:latest' })
    await assert.rejects(create(image('busybox', '/x', '../y')), { message: `${wrong}subpath must be a relative path within the volume` })
    const missing = await create(image('busybox', '/x', 'nope'))
    await assert.rejects(client.request('POST', `/containers/${missing}/start`), /^Error: cannot access path .*\/merged\/nope: lstat .*: no such file or directory$|cannot access path/)
    await client.request('DELETE', `/containers/${missing}`)
  })

  it('go with --volumes-from, and a link in an image ends inside it', async () => {
    const first = await createContainer(client, ['true'], { NetworkMode: 'none', Binds: ['shared:/data'], Mounts: [image('busybox', '/img')] })
    const second = await startContainer(client, ['sleep', '1000'], { NetworkMode: 'none', VolumesFrom: [`${first}:ro`] })
    const { output } = await execIn(client, second, ['sh', '-c', 'ls /img/etc; touch /data/x'])
    assert.equal(output, 'group\npasswd\ntouch: /data/x: Read-only file system\n')
    await client.request('DELETE', `/containers/${second}`, { query: { force: true } })
    const hostile = await createContainer(client, ['true'], { NetworkMode: 'none' })
    const { body } = await client.request<{ GraphDriver: { Data: { UpperDir: string } } }>('GET', `/containers/${hostile}/json`)
    symlinkSync('/etc', join(body.GraphDriver.Data.UpperDir, 'escape'))
    await client.request('POST', '/commit', { query: { container: hostile, repo: 'hostile' }, body: {} })
    const third = await createContainer(client, ['true'], { NetworkMode: 'none', Mounts: [image('hostile', '/img', 'escape')] })
    await assert.rejects(client.request('POST', `/containers/${third}/start`), { message: /^path concatenation escapes the base directory, base: .*, subpath: escape$/ })
  })
})
