import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { defaultLimits } from '@engine/image'
import { openDatabase } from '../../packages/engine/src/state/database.ts'
import { migrations } from '../../packages/engine/src/state/migrations/index.ts'
import { VolumeStore } from '../../packages/engine/src/volumes/volume-store.ts'
import { ProjectQuotas } from '../../packages/engine/src/quotas/project-quotas.ts'
import { volumeVerbs } from '../../packages/engine/src/volumes/volumes.ts'
import type { Filters, Volumes } from '../../packages/engine/src/interface.ts'
import { imageStores } from '../harness/image-stores.ts'

const plain = { Driver: 'local', DriverOpts: {}, Labels: {} }
type Entry = readonly [string, ...string[]]
const filters = (...entries: Entry[]): Filters => new Map(entries.map(([key, ...values]) => [key, values]))

/** Folders of the store's own. */
const own = ['.making', '.removed', '.renamed']

async function world(t: TestContext): Promise<{ root: string; directory: string; store: VolumeStore; volumes: Volumes; users: Map<string, string[]>; events: string[]; reopen: () => VolumeStore }> {
  const { directory, workers } = await imageStores(t)
  const db = openDatabase(join(directory, 'engine.db'), migrations)
  t.after(() => db.close())
  const events: string[] = []
  const users = new Map<string, string[]>()
  const root = join(directory, 'volumes')
  const reopen = () => new VolumeStore({ db, root, workers, events: { publish: (type, action, id) => void events.push(`${type} ${action} ${id}`) }, quotas: new ProjectQuotas(db, () => undefined), log: () => undefined })
  const store = reopen()
  return { root, directory, store, volumes: volumeVerbs({ store, transfers: workers, limits: defaultLimits, owner: { uid: 0, gid: 0 }, ids: undefined, users: (name) => users.get(name) ?? [], publish: () => undefined }), users, events, reopen }
}

describe('volumes', () => {
  test('are made, found and removed as by Docker', async (t) => {
    const { root, volumes, users, events, store } = await world(t)
    const made = await volumes.create({ ...plain, Name: 'data', Labels: { a: 'b' } })
    assert.deepEqual({ ...made, CreatedAt: '' }, { Name: 'data', Driver: 'local', Mountpoint: join(root, 'data/_data'), CreatedAt: '', Labels: { a: 'b' }, Scope: 'local', Options: null })
    assert.match(made.CreatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    assert.equal(statSync(made.Mountpoint).mode & 0o777, 0o755)
    assert.deepEqual(await volumes.create({ ...plain, Name: 'data', Labels: { c: 'd' } }), made)
    assert.deepEqual(await volumes.inspect('data'), made)
    const anonymous = await volumes.create({ ...plain, Name: '' })
    assert.match(anonymous.Name, /^[0-9a-f]{64}$/)
    assert.deepEqual(anonymous.Labels, { 'com.docker.volume.anonymous': '' })
    assert.deepEqual([store.isAnonymous(anonymous.Name), store.isAnonymous('data'), store.isAnonymous('nope')], [true, false, false])
    users.set('data', ['c1', 'c2'])
    await assert.rejects(volumes.remove('data', true), { code: 'conflict', message: 'remove data: volume is in use - [c1, c2]' })
    const names = async (...entries: Entry[]) => (await volumes.list(filters(...entries))).Volumes.map(({ Name }) => Name).filter((name) => name.length < 64)
    assert.deepEqual(await names(), ['data'])
    assert.deepEqual(await names(['dangling', 'true']), [])
    assert.deepEqual(await names(['name', 'at'], ['label', 'a=b'], ['driver', 'local']), ['data'])
    await assert.rejects(names(['dangling', 'xx']), { message: "invalid filter 'dangling=[xx]'" })
    await assert.rejects(names(['foo', 'xx']), { message: "invalid filter 'foo'" })
    users.clear()
    writeFileSync(join(made.Mountpoint, 'file'), '')
    await volumes.remove('data', false)
    assert.ok(!existsSync(join(root, 'data')))
    await assert.rejects(volumes.inspect('data'), { code: 'not-found', message: 'get data: no such volume' })
    await assert.rejects(volumes.remove('data', false), { code: 'not-found', message: 'get data: no such volume' })
    await volumes.remove('data', true)
    assert.deepEqual(events, ['volume create data', `volume create ${anonymous.Name}`, 'volume destroy data'])
  })

  test('with bad names, drivers and options are refused in the words of Docker', async (t) => {
    const { root, volumes } = await world(t)
    const characters = (name: string) => `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`
    const table: readonly (readonly [Partial<Parameters<Volumes['create']>[0]>, string, string])[] = [
      [{ Name: 'a' }, 'invalid-argument', 'create a: volume name is too short, names should be at least two alphanumeric characters'],
      [{ Name: 'a b' }, 'invalid-argument', characters('a b')],
      [{ Name: '../x' }, 'invalid-argument', characters('../x')],
      [{ Name: '..' }, 'invalid-argument', characters('..')],
      [{ Name: '.removed' }, 'invalid-argument', characters('.removed')],
      [{ Name: 'v1', Driver: 'nope' }, 'not-found', 'create v1: error looking up volume plugin nope: plugin "nope" not found'],
      [{ Name: 'v1', DriverOpts: { foo: 'x' } }, 'invalid-argument', 'create v1: invalid option: "foo"'],
      [{ Name: 'v1', DriverOpts: { device: '/tmp' } }, 'invalid-argument', 'create v1: missing required option: "type"'],
      [{ Name: 'v1', DriverOpts: { size: '1g' } }, 'invalid-argument', 'create v1: quota size requested but no quota support'],
      [{ Name: 'v1', DriverOpts: { size: 'abc', type: 'tmpfs' } }, 'invalid-argument', "create v1: invalid size: 'abc'"],
      [{ Name: 'v1', DriverOpts: { size: '0', type: 'tmpfs' } }, 'invalid-argument', 'create v1: missing required option: "device"'],
    ]
    for (const [options, code, message] of table) await assert.rejects(volumes.create({ ...plain, Name: '', ...options }), { code, message })
    assert.deepEqual(readdirSync(root), own)
  })

  test('that are empty begin with what the image has, and nothing from outside', async (t) => {
    const { directory, store } = await world(t)
    const root = join(directory, 'rootfs')
    mkdirSync(join(root, 'data/sub'), { recursive: true, mode: 0o700 })
    writeFileSync(join(root, 'data/sub/file'), 'content', { mode: 0o4755 })
    chownSync(join(root, 'data'), 5, 6)
    utimesSync(join(root, 'data/sub/file'), 1_500_000_000.5, 1_500_000_000.5)
    mkdirSync(join(directory, 'outside'))
    writeFileSync(join(directory, 'outside/secret'), '')
    symlinkSync(join(directory, 'outside'), join(root, 'escape'))
    symlinkSync('/data', join(root, 'inside'))
    const { name, mountpoint } = await store.ensure({ name: '', driver: '', options: {}, labels: {}, owner: { uid: 0, gid: 0 } })
    await store.populate(name, root, '/missing')
    await store.populate(name, root, '/escape')
    assert.deepEqual(readdirSync(mountpoint), [])
    await store.populate(name, root, '/inside')
    assert.equal(readFileSync(join(mountpoint, 'sub/file'), 'utf8'), 'content')
    assert.deepEqual([statSync(mountpoint).uid, statSync(mountpoint).gid, statSync(mountpoint).mode & 0o7777], [5, 6, 0o700])
    assert.deepEqual([statSync(join(mountpoint, 'sub/file')).mode & 0o7777, statSync(join(mountpoint, 'sub/file')).mtimeMs], [0o755 | 0o4000, 1_500_000_000_500])
    writeFileSync(join(root, 'data/later'), '')
    await store.populate(name, root, '/data')
    assert.ok(!existsSync(join(mountpoint, 'later')), 'a volume that has something is left alone')
  })

  test('whose removal was interrupted are gone after the next start', async (t) => {
    const { root, volumes, reopen } = await world(t)
    await volumes.create({ ...plain, Name: 'kept' })
    await volumes.create({ ...plain, Name: 'half' })
    mkdirSync(join(root, '.removed/123'))
    renameSync(join(root, 'half'), join(root, '.removed/123/half'))
    const again = reopen()
    again.reconcile()
    assert.deepEqual(again.all().map(({ Name }) => Name), ['kept'])
  })

  test('whose creation was interrupted leave no directory, unless somebody has put something there', async (t) => {
    const { root, reopen } = await world(t)
    mkdirSync(join(root, 'half/_data'), { recursive: true })
    mkdirSync(join(root, 'restored/_data/files'), { recursive: true })
    reopen().reconcile()
    assert.deepEqual(readdirSync(root), [...own, 'restored'])
    assert.ok(existsSync(join(root, 'restored/_data/files')))
  })

  test('are cloned with all that their files have, renamed, and pruned by Docker’s rules', async (t) => {
    const { root, volumes, users, events } = await world(t)
    const { Mountpoint: from } = await volumes.create({ ...plain, Name: 'from' })
    writeFileSync(join(from, 'file'), 'content', { mode: 0o640 })
    chownSync(join(from, 'file'), 5, 6)
    linkSync(join(from, 'file'), join(from, 'second'))
    symlinkSync('nowhere', join(from, 'link'))
    mkdirSync(join(from, 'sub'), { mode: 0o700 })
    utimesSync(join(from, 'file'), 1_500_000_000.5, 1_500_000_000.5)
    chownSync(from, 7, 8)
    const { Mountpoint: to } = await volumes.clone('from', 'to', { a: 'b' })
    const listing = (path: string): string => execFileSync('find', [path, '-printf', '%P %y %m %U %G %s %n %l\n'], { encoding: 'utf8' }).split('\n').sort().join('\n')
    assert.equal(listing(to), listing(from))
    assert.equal(statSync(join(to, 'file')).mtimeMs, 1_500_000_000_500)
    assert.equal(statSync(join(to, 'file')).ino, statSync(join(to, 'second')).ino)
    await assert.rejects(volumes.clone('from', 'to', {}), { code: 'conflict', message: 'a volume named to already exists' })
    await assert.rejects(volumes.clone('from', '../x', {}), { code: 'invalid-argument' })
    users.set('from', ['c1'])
    await assert.rejects(volumes.rename('from', 'other'), { code: 'conflict', message: 'rename from: volume is in use - [c1]' })
    assert.equal((await volumes.rename('to', 'other')).Labels?.['a'], 'b')
    assert.deepEqual(readdirSync(root), [...own, 'from', 'other'])
    const { Name: anonymous } = await volumes.create({ ...plain, Name: '' })
    await volumes.create({ ...plain, Name: '' })
    users.set(anonymous, ['c1'])
    assert.equal((await volumes.prune(filters())).VolumesDeleted.length, 1)
    assert.deepEqual(await volumes.prune(filters(['all', 'true'], ['label!', 'a'])), { VolumesDeleted: [], SpaceReclaimed: 0 })
    assert.deepEqual(await volumes.prune(filters(['all', '1'])), { VolumesDeleted: ['other'], SpaceReclaimed: 14 })
    await assert.rejects(volumes.prune(filters(['all', 'x'])), { message: 'invalid filter \'all\': strconv.ParseBool: parsing "x": invalid syntax' })
    await assert.rejects(volumes.prune(filters(['dangling', 'x'])), { message: "invalid filter 'dangling'" })
    assert.ok(events.includes('volume rename other'))
    // As long as a name of a file can be.
    const long = 'x'.repeat(255)
    await volumes.clone('from', long, {})
    await volumes.rename(long, 'y'.repeat(255))
    await volumes.remove('y'.repeat(255), false)
    assert.ok(!readdirSync(root).some((name) => name.length === 255))
  })

  test('are not taken away from who works with them, nor from who is about to have them', async (t) => {
    const { root, volumes, store } = await world(t)
    const { Name: name } = await volumes.create({ ...plain, Name: '' })
    await store.using(name, 'export', async () => {
      await assert.rejects(volumes.remove(name, true), { code: 'conflict', message: `remove ${name}: volume is in use - [export]` })
      await assert.rejects(volumes.rename(name, 'other'), { code: 'conflict', message: `rename ${name}: volume is in use - [export]` })
      assert.deepEqual((await volumes.prune(filters(['all', '1']))).VolumesDeleted, [])
    })
    // Who asks for one that is on its way out gets a new one.
    await volumes.create({ ...plain, Name: 'data' })
    writeFileSync(join(root, 'data/_data/old'), '')
    const [, made] = await Promise.all([volumes.remove('data', false), volumes.create({ ...plain, Name: 'data' })])
    assert.deepEqual([store.has('data'), readdirSync(made.Mountpoint)], [true, []])
    writeFileSync(join(root, 'data/_data/kept'), '')
    await Promise.all([volumes.rename('data', 'moved'), volumes.create({ ...plain, Name: 'data' }), volumes.create({ ...plain, Name: 'moved' })])
    assert.deepEqual([readdirSync(join(root, 'moved/_data')), readdirSync(join(root, 'data/_data'))], [['kept'], []])
    // Others' removals do not stop a prune or a count.
    for (let i = 0; i < 10; i++) await volumes.create({ ...plain, Name: `many-${i}` })
    await Promise.all([volumes.prune(filters(['all', '1'])), volumes.usage(), ...Array.from({ length: 10 }, (_, i) => volumes.remove(`many-${9 - i}`, true))])
    assert.deepEqual(store.all(), [])
  })

  test('whose renaming or cloning was broken off are whole under one name after the next start', async (t) => {
    const { root, volumes, reopen } = await world(t)
    for (const name of ['before', 'moved', 'source']) await volumes.create({ ...plain, Name: name })
    // A note alone; a note and the new name; a clone without its row.
    symlinkSync('after', join(root, '.renamed/before'))
    symlinkSync('new', join(root, '.renamed/moved'))
    renameSync(join(root, 'moved'), join(root, 'new'))
    mkdirSync(join(root, '.making/1/copy/_data'), { recursive: true })
    const again = reopen()
    again.reconcile()
    assert.deepEqual(again.all().map(({ Name }) => Name), ['before', 'new', 'source'])
    assert.deepEqual([readdirSync(join(root, '.making')), readdirSync(join(root, '.renamed'))], [[], []])
    // A row whose directory did not get its name.
    await volumes.create({ ...plain, Name: 'row' })
    mkdirSync(join(root, '.making/2'))
    renameSync(join(root, 'row'), join(root, '.making/2/row'))
    reopen().reconcile()
    assert.ok(existsSync(join(root, 'row/_data')))
  })
})
