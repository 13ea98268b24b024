import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { digestHex } from '@engine/image'
import type { Images } from '../../packages/engine/src/interface.ts'
import { child, container, filters, none, tarOf, world, type Entry } from '../harness/image-world.ts'

describe('import', () => {
  test('makes an image that inspect, list and history show as Docker shows it', async (t) => {
    const w = await world(t)
    const id = await w.import(gzipSync(tarOf({ f: 'hi\n' })), 'imgt', '1', ['CMD ["/x"]', 'ENV A=b', 'EXPOSE 80', 'LABEL z=1', 'WORKDIR /w'])
    const { Created: created, Metadata, GraphDriver, RootFS, ...inspected } = await w.images.inspect('imgt:1')
    assert.deepEqual(inspected, {
      Id: id, RepoTags: ['imgt:1'], RepoDigests: [], Parent: '', Comment: 'Imported from -', DockerVersion: '', Author: '', Architecture: 'amd64', Os: 'linux', Size: 3,
      Config: { Cmd: ['/x'], Entrypoint: null, Env: ['A=b'], Labels: { z: '1' }, OnBuild: null, User: '', Volumes: null, WorkingDir: '/w', ExposedPorts: { '80/tcp': {} } },
    })
    assert.match(created ?? '', /^\d{4}-.*Z$/)
    assert.match(Metadata.LastTagTime, /^20/)
    assert.deepEqual(Object.keys(GraphDriver.Data ?? {}), ['MergedDir', 'UpperDir', 'WorkDir'])
    assert.equal(readFileSync(join(GraphDriver.Data?.['UpperDir'] ?? '', 'f'), 'utf8'), 'hi\n')
    assert.equal(RootFS.Layers?.length, 1)
    const [summary] = await w.images.list({ all: false, filters: none, sharedSize: true, digests: false })
    const seconds = Math.floor(Date.parse(created ?? '') / 1000)
    assert.deepEqual(summary, { Id: id, ParentId: '', RepoTags: ['imgt:1'], RepoDigests: [], Created: seconds, Size: 3, SharedSize: 0, Labels: { z: '1' }, Containers: 0 })
    assert.deepEqual(await w.images.history('imgt:1'), [{ Id: id, Created: seconds, CreatedBy: '', Tags: ['imgt:1'], Size: 3, Comment: 'Imported from -' }])
    assert.deepEqual(w.events.map(([type, action, of, attributes]) => [type, action, of, attributes['name']]), [['image', 'tag', id, 'imgt:1'], ['image', 'import', id, id]])
    // Found by name, ID, and the beginning of an ID; a name comes first.
    for (const ref of [id, id.slice(7), id.slice(7, 19), `sha256:${id.slice(7, 12)}`, 'imgt:1', 'docker.io/library/imgt:1']) assert.equal((await w.images.inspect(ref)).Id, id, ref)
    assert.deepEqual(await w.stores.content.read(id as never).then((bytes) => JSON.parse(bytes.toString()).config.Env), ['A=b'])
  })

  test('says what is wrong before it reads, and leaves nothing of a damaged tar', async (t) => {
    const w = await world(t)
    const attempt = (options: Partial<Parameters<Images['import']>[1]>, tar = tarOf({ f: 'x' })) =>
      Array.fromAsync(w.images.import(Readable.from([tar]), { repository: '', tag: '', message: '', changes: [], ...options }, new AbortController().signal))
    await assert.rejects(attempt({ repository: 'IMG' }), { code: 'invalid-argument', message: 'invalid reference format: repository name (library/IMG) must be lowercase' })
    await assert.rejects(attempt({ repository: 'img', tag: 'x@@' }), { message: 'invalid tag format' })
    await assert.rejects(attempt({ changes: ['RUN x'] }), { message: 'RUN is not a valid change command' })
    await assert.rejects(attempt({ platform: 'windows/amd64' }), { message: 'operating system is not supported' })
    await assert.rejects(attempt({ platform: 'foo' }), { message: '"foo": unknown operating system or architecture: invalid argument' })
    await assert.rejects(attempt({}, Buffer.from('garbage\n')), { message: 'unexpected EOF' })
    await w.store.reconcile()
    assert.deepEqual(await w.stores.content.list(), [])
    assert.deepEqual(await w.images.list({ all: true, filters: none, sharedSize: false, digests: false }), [])
    await assert.rejects(Array.fromAsync(w.images.pull('scratch', {}, new AbortController().signal)), { code: 'forbidden', message: "'scratch' is a reserved name" })
  })
})

describe('names', () => {
  test('are given, moved and refused as by Docker', async (t) => {
    const w = await world(t)
    const a = await w.import(tarOf({ a: 'a' }), 'x')
    const b = await w.import(tarOf({ b: 'b' }))
    await w.images.tag('x', 'localhost:5000/y', 'v1')
    assert.deepEqual((await w.images.inspect(a)).RepoTags, ['x:latest', 'localhost:5000/y:v1'])
    await w.images.tag(b, 'x:ignored', 'latest')
    assert.deepEqual((await w.images.inspect(b)).RepoTags, ['x:latest'])
    assert.deepEqual((await w.images.inspect(a)).RepoTags, ['localhost:5000/y:v1'])
    await w.images.tag('x', '', '')
    await assert.rejects(w.images.tag('nope', 'z', ''), { code: 'not-found', message: 'No such image: nope:latest' })
    await assert.rejects(w.images.tag('x', 'sha256', 'q'), { code: 'invalid-argument', message: 'refusing to create an ambiguous tag using digest algorithm as name' })
    await assert.rejects(w.images.tag('x', `z@sha256:${'a'.repeat(64)}`, ''), { message: 'cannot import digest reference' })
    await assert.rejects(w.images.inspect('a'.repeat(64)), { message: `No such image: sha256:${'a'.repeat(64)}` })
    assert.throws(() => w.store.forContainer('x', 'linux/arm64'), { code: 'not-found', message: 'image with reference x was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)' })
    assert.deepEqual(w.store.forContainer('x', 'linux/amd64').id, b)
    assert.equal(w.store.shownName('x', b), 'x')
    assert.equal(w.store.shownName('x', a), a)
  })

  test('are filtered', async (t) => {
    const w = await world(t)
    const a = await w.import(tarOf({ a: 'a' }), 'one', '1', ['LABEL k=v'])
    const b = await child(w, a, 'b')
    const c = await child(w, b, 'c')
    await w.images.tag(c, 'reg.io/two', '2')
    const d = await w.import(tarOf({ d: 'd' }))
    const list = async (all: boolean, ...entries: Entry[]) => (await w.images.list({ all, filters: filters(...entries), sharedSize: false, digests: false })).map(({ Id }) => Id)
    assert.deepEqual(await list(false), [d, c, a])
    assert.deepEqual(await list(true), [d, c, b, a])
    assert.deepEqual(await list(false, ['dangling', 'true']), [d])
    assert.deepEqual(await list(false, ['dangling', 'false']), [c, a])
    assert.deepEqual(await list(false, ['label', 'k=v']), [c, a])
    assert.deepEqual(await list(false, ['reference', 'o*:?']), [a])
    assert.deepEqual(await list(false, ['reference', 'reg.io/*', 'one']), [c, a])
    assert.deepEqual(await list(false, ['before', 'reg.io/two:2']), [a])
    assert.deepEqual(await list(false, ['since', a]), [d, c])
    assert.deepEqual([await list(false, ['until', '0s', '1h']), await list(false, ['until', '0s', '2100-01-01'])], [[], [d, c, a]])
    await assert.rejects(list(false, ['dangling']), { message: "invalid filter 'dangling'" })
    await assert.rejects(list(false, ['foo', 'x']), { message: "invalid filter 'foo'" })
    await assert.rejects(list(false, ['dangling', 'xx']), { message: "invalid filter 'dangling=[xx]'" })
    await assert.rejects(list(false, ['before', 'nope']), { message: 'No such image: nope:latest' })
    assert.deepEqual(w.store.idsOf('one:1'), [a, b, c])
    const history = await w.images.history(c)
    assert.deepEqual(history.map(({ Id, Size, Tags }) => [Id, Size, Tags]), [[c, 1, ['reg.io/two:2']], [b, 1, null], [a, 1, ['one:1']]])
  })
})

describe('remove', () => {
  test('untags, deletes, and takes the parents and layers that nothing needs', async (t) => {
    const w = await world(t)
    const a = await w.import(tarOf({ a: 'a' }), 'base')
    const b = await child(w, a, 'b')
    const c = await child(w, b, undefined)
    await w.images.tag(c, 'app', '1')
    await w.images.tag(c, 'app', '2')
    const layer = (id: string, at: number) => `sha256:${w.store.get(id)?.layers[at]}`
    const [top, bottom] = [layer(c, 0), layer(c, 1)]
    const remove = (ref: string, force = false, noPrune = false) => w.images.remove(ref, { force, noPrune })
    assert.deepEqual(await remove('app:1'), [{ Untagged: 'app:1' }])
    await assert.rejects(remove(b), { code: 'conflict', message: `conflict: unable to delete ${b.slice(7, 19)} (cannot be forced) - image has dependent child images` })
    assert.deepEqual(await remove('base'), [{ Untagged: 'base:latest' }])
    await w.images.tag(a, 'base', '')
    assert.deepEqual(await remove('app:2'), [{ Untagged: 'app:2' }, { Deleted: c }, { Deleted: b }, { Deleted: top }])
    assert.ok(!w.stores.snapshots.hasLayer(top.slice(7)))
    assert.deepEqual(await remove(a.slice(7, 15)), [{ Untagged: 'base:latest' }, { Deleted: a }, { Deleted: bottom }])
    await w.stores.snapshots.settled()
    assert.deepEqual(await w.stores.snapshots.list(), { layers: [], others: [] })
    assert.deepEqual((await w.stores.content.list()).length, 1, 'only the tar that the test itself stored')
    await assert.rejects(remove('app:2'), { code: 'not-found', message: 'No such image: app:2' })
    const actions = w.events.map(([, action, id]) => `${action} ${id === a ? 'a' : id === b ? 'b' : 'c'}`)
    assert.deepEqual(actions, ['tag a', 'import a', 'tag c', 'tag c', 'untag c', 'untag a', 'tag a', 'untag c', 'delete c', 'delete b', 'untag a', 'delete a'])
  })

  test('is refused while containers use the image, and forced only for stopped ones', async (t) => {
    const w = await world(t)
    const id = await w.import(tarOf({ a: 'a' }), 'base')
    const short = id.slice(7, 19)
    const stopped = container(w, id, 'exited')
    const user = stopped.id.slice(0, 12)
    const remove = (ref: string, force: boolean) => w.images.remove(ref, { force, noPrune: false })
    await assert.rejects(remove('base', false), { code: 'conflict', message: `conflict: unable to remove repository reference "base" (must force) - container ${user} is using its referenced image ${short}` })
    await assert.rejects(remove(id, false), { message: `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container ${user}` })
    stopped.state.status = 'running'
    await assert.rejects(remove(id, true), { message: `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container ${user}` })
    await w.images.tag(id, 'other', '')
    await assert.rejects(remove(id, false), { message: `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container ${user}` })
    stopped.state.status = 'exited'
    await assert.rejects(remove(id, false), { message: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories` })
    // The container keeps the layer.
    const [layer = ''] = w.store.get(id)?.layers ?? []
    assert.deepEqual(await remove(id, true), [{ Untagged: 'base:latest' }, { Untagged: 'other:latest' }, { Deleted: id }])
    assert.ok(w.stores.snapshots.hasLayer(layer))
    await w.store.collect()
    assert.ok(w.stores.snapshots.hasLayer(layer))
    w.containers.length = 0
    await w.store.collect()
    assert.ok(!w.stores.snapshots.hasLayer(layer))
  })

  test('waits for builds: what they hold stays', async (t) => {
    const w = await world(t)
    const a = await w.import(tarOf({ a: 'a' }), 'base')
    const b = await w.import(tarOf({ b: 'b' }), 'other')
    const [layer = ''] = w.store.get(b)?.layers ?? []
    {
      using _held = w.store.hold(a)
      await assert.rejects(w.images.remove(a, { force: true, noPrune: false }), { message: `conflict: unable to delete ${a.slice(7, 19)} (cannot be forced) - image is being used by a build` })
      await w.images.remove('other', { force: false, noPrune: false })
      assert.ok(w.stores.snapshots.hasLayer(layer), 'files stay while anything is held')
      // The same layer again: its files are the ones that were to go.
      await w.import(tarOf({ b: 'b' }), 'again')
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.ok(w.stores.snapshots.hasLayer(layer))
    await w.images.remove('again', { force: false, noPrune: false })
    assert.ok(!w.stores.snapshots.hasLayer(layer))
  })

  test('that lost its last name while a build, push or save has it is done when that has ended', async (t) => {
    const w = await world(t)
    const remove = (ref: string): Promise<unknown> => w.images.remove(ref, { force: false, noPrune: false })
    const a = await w.import(tarOf({ a: 'a' }), 'kept')
    const b = await w.import(tarOf({ b: 'b' }), 'gone')
    const [layer = ''] = w.store.get(b)?.layers ?? []
    {
      using _first = w.store.hold(a)
      using _second = w.store.hold(b)
      using _third = w.store.hold(b)
      assert.deepEqual(await remove('kept'), [{ Untagged: 'kept:latest' }])
      assert.deepEqual(await remove('gone'), [{ Untagged: 'gone:latest' }])
      assert.ok(w.store.get(b) !== undefined && w.stores.snapshots.hasLayer(layer))
      await w.images.tag(a, 'again', '')
    }
    while (w.stores.snapshots.hasLayer(layer)) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual([w.store.get(b), w.store.get(a)?.id], [undefined, a])
    assert.deepEqual(w.events.filter(([, action]) => action === 'delete').map(([, , id]) => id), [b])
    assert.deepEqual(w.logged, [])
  })

  test('by prune takes images without a name, or all that are unused', async (t) => {
    const w = await world(t)
    const a = await w.import(tarOf({ a: 'aaa' }), 'named', '', ['LABEL k=v'])
    const b = await w.import(tarOf({ b: 'bbbb' }))
    const used = await w.import(tarOf({ c: 'c' }), 'used')
    container(w, used, 'exited')
    const [layer] = w.store.get(b)?.layers ?? []
    assert.deepEqual(await w.images.prune(filters(['until', '1h'])), { ImagesDeleted: null, SpaceReclaimed: 0 })
    assert.deepEqual(await w.images.prune(none), { ImagesDeleted: [{ Deleted: b }, { Deleted: `sha256:${layer}` }], SpaceReclaimed: 4 })
    assert.deepEqual((await w.images.prune(filters(['dangling', 'false'], ['label!', 'k']))).SpaceReclaimed, 0)
    const { ImagesDeleted, SpaceReclaimed } = await w.images.prune(filters(['dangling', 'false']))
    assert.deepEqual([ImagesDeleted?.slice(0, 2), SpaceReclaimed], [[{ Untagged: 'named:latest' }, { Deleted: a }], 3])
    await assert.rejects(w.images.prune(filters(['foo', 'x'])), { message: "invalid filter 'foo'" })
    assert.deepEqual(w.events.filter(([, action]) => action === 'prune').map(([, , , { reclaimed }]) => reclaimed), ['0', '4', '0', '3'])
  })
})

describe('commit', () => {
  test('makes an image of what a container wrote, paused meanwhile', async (t) => {
    const w = await world(t)
    const base = await w.import(tarOf({ 'bin/sh': 'shell', old: 'old' }), 'base', '', ['ENV FOO=bar', 'LABEL a=b'])
    const { snapshots } = w.stores
    const made = container(w, base, 'running', { Cmd: ['/bin/sh', '-c', 'true'], Entrypoint: null, Env: ['FOO=bar'], Labels: { a: 'b' }, Hostname: 'h', Volumes: null, OnBuild: null, User: '', WorkingDir: '' })
    snapshots.prepare(made.id, made.record.layers)
    const merged = await snapshots.mount(made.id)
    writeFileSync(join(merged, 'new'), 'hi\n')
    rmSync(join(merged, 'old'))
    const { Id } = await w.images.commit(made.id, { repository: 'app', tag: 'c', comment: 'cmt', author: 'me', pause: true, changes: ['ENV X=y', 'CMD ["/new"]'] })
    assert.deepEqual(w.paused, [`pause ${made.id}`, `unpause ${made.id}`])
    const image = await w.images.inspect('app:c')
    assert.equal(image.Id, Id)
    assert.deepEqual([image.Parent, image.Comment, image.Author, image.Size], [base, 'cmt', 'me', 11])
    assert.deepEqual([image.Config?.Env, image.Config?.Cmd, image.Config?.Labels, image.Config?.Entrypoint], [['FOO=bar', 'X=y'], ['/new'], { a: 'b' }, null])
    const [latest] = await w.images.history(Id)
    assert.deepEqual([latest?.CreatedBy, latest?.Size, latest?.Comment], ['/bin/sh -c true', 3, 'cmt'])
    assert.deepEqual(readdirSync(image.GraphDriver.Data?.['UpperDir'] ?? '').sort(), ['new', 'old'])
    const [type, action, , attributes] = w.events.at(-1) ?? []
    assert.deepEqual([type, action, attributes], ['container', 'commit', { name: 'some-name', comment: 'cmt', imageID: Id, imageRef: 'app:c' }])

    // A container that wrote nothing makes no layer.
    const idle = container(w, base, 'exited', made.record.config)
    snapshots.prepare(idle.id, idle.record.layers)
    const same = await w.images.inspect((await w.images.commit(idle.id, { repository: '', tag: '', comment: '', author: '', pause: true, changes: [] })).Id)
    assert.deepEqual([same.RootFS.Layers?.length, same.Size, same.RepoTags], [1, 8, []])
    assert.equal(w.paused.length, 2)
  })
})

describe('a start', () => {
  test('takes away what a crash left, and reports what is missing', async (t) => {
    const w = await world(t)
    const id = await w.import(tarOf({ a: 'a' }), 'kept')
    const lost = await w.import(tarOf({ b: 'b' }), 'lost')
    const { content, snapshots } = w.stores
    const stray = await content.ingest([tarOf({ stray: 'stray' })])
    const layer = await snapshots.createLayer({ file: content.path(stray.digest) }, [], digestHex)
    const [missing = ''] = w.store.get(lost)?.layers ?? []
    rmSync(snapshots.layout(missing).directory, { recursive: true })
    mkdirSync(join(snapshots.root, '.making/half'))
    await w.store.reconcile()
    assert.ok(!snapshots.hasLayer(layer.id))
    assert.ok(!existsSync(content.path(stray.digest)))
    assert.equal((await w.images.inspect(id)).Size, 1)
    assert.equal(w.logged.length, 1)
    assert.match(w.logged[0] ?? '', new RegExp(`^error the files of a layer are missing.*${missing}`))
  })
})
