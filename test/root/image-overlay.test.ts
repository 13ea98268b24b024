import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { chainId, digestHex, endOfArchive, mountsBelow, newEntry, padding, writeEntry, type Digest, type Layer, type OverlayStore, type TarEntry } from '@engine/image'
import type { EngineError } from '@engine/linux'
import { getXattr, setXattr } from '@engine/linux/xattr'
import { imageStores, type ImageStores } from '../harness/image-stores.ts'

const container = 'c'.repeat(64)

function tarOf(...items: readonly (readonly [TarEntry, string?])[]): Buffer {
  const parts = items.flatMap(([entry, content = '']) => [writeEntry({ ...entry, size: content.length }), Buffer.from(content), padding(content.length)])
  return Buffer.concat([...parts, endOfArchive])
}

async function stack({ content, snapshots }: ImageStores, ...tars: readonly Buffer[]): Promise<Layer[]> {
  const layers: Layer[] = []
  for (const tar of tars) {
    const { digest } = await content.ingest([tar])
    const parents = layers.map(({ id }) => id).reverse()
    layers.push(await snapshots.createLayer({ file: content.path(digest) }, parents, (diffId) => digestHex(chainId([...layers.map((layer) => layer.diffId), diffId]))))
  }
  return layers
}

const topFirst = (layers: readonly Layer[]): string[] => layers.map(({ id }) => id).reverse()

const base = tarOf(
  [newEntry('directory', 'etc/', { mode: 0o751, mtime: 1_000_000_000n })],
  [newEntry('file', 'etc/hosts', { mode: 0o600 }), 'of the image'],
  [newEntry('file', 'kept'), 'kept'],
  [newEntry('file', 'gone'), 'gone'],
  [newEntry('directory', 'd/')],
  [newEntry('file', 'd/old'), 'old'],
  [newEntry('directory', 'e/')],
  [newEntry('file', 'e/one'), 'one'],
  [newEntry('file', 'e/two'), 'two'],
)
const second = tarOf([newEntry('file', '.wh.gone')], [newEntry('directory', 'd/')], [newEntry('file', 'd/.wh..wh..opq')], [newEntry('file', 'd/new'), 'new'])

/** Reads in a container's file system as `docker cp` does of one that is stopped. */
async function readOnce(snapshots: OverlayStore): Promise<'read' | 'gone'> {
  try {
    await using held = await snapshots.hold(container)
    readdirSync(held.merged)
    await setImmediate()
    return 'read'
  } catch (error) {
    assert.equal((error as EngineError).code, 'not-found', String(error))
    return 'gone'
  }
}

describe('an overlay', () => {
  test('shows the layers, takes writes, and is seen in mountinfo', async (t) => {
    const stores = await imageStores(t)
    const { snapshots } = stores
    const layers = await stack(stores, base, second)
    snapshots.prepare(container, topFirst(layers))
    const merged = await snapshots.mount(container)
    assert.equal(merged, join(snapshots.root, container, 'merged'))
    assert.equal(await snapshots.mount(container), merged)
    assert.deepEqual(readdirSync(merged).sort(), ['.dockerenv', 'd', 'dev', 'e', 'etc', 'kept', 'proc', 'sys'])
    assert.deepEqual(readdirSync(join(merged, 'd')), ['new'])
    assert.equal(readFileSync(join(merged, 'etc/hosts'), 'utf8'), 'of the image')
    assert.equal(statSync(join(merged, 'etc')).mode & 0o7777, 0o751)
    assert.equal(readlinkSync(join(merged, 'etc/mtab')), '/proc/mounts')

    const mounts = mountsBelow(snapshots.root)
    const overlay = mounts.find(({ mountPoint }) => mountPoint === merged)
    assert.equal(overlay?.type, 'overlay')
    assert.deepEqual(mounts.map(({ propagation }) => propagation), [[], []])
    assert.match(overlay?.superOptions ?? '', new RegExp(`upperdir=${snapshots.root}/${container}/diff`))
    assert.equal(mounts.filter(({ mountPoint }) => mountPoint === merged).length, 1)

    writeFileSync(join(merged, 'written'), 'x')
    rmSync(join(merged, 'kept'))
    assert.ok(lstatSync(join(snapshots.layout(container).diff, 'kept')).isCharacterDevice())
    const data = snapshots.graphDriverData(container)
    const [top, bottom] = topFirst(layers)
    assert.deepEqual(data, {
      LowerDir: [`${top}-init`, top, bottom].map((id) => `${snapshots.root}/${id}/diff`).join(':'),
      MergedDir: merged,
      UpperDir: `${snapshots.root}/${container}/diff`,
      WorkDir: `${snapshots.root}/${container}/work`,
    })
    assert.ok(!('LowerDir' in snapshots.graphDriverData(layers[0]?.id ?? '')))
    assert.equal(snapshots.graphDriverData(top ?? '').LowerDir, `${snapshots.root}/${bottom}/diff`)

    await snapshots.unmount(container)
    await snapshots.unmount(container)
    assert.deepEqual(readdirSync(merged), [])
    assert.equal(mountsBelow(snapshots.root).length, 1)
    await snapshots.mount(container)
    assert.equal(readFileSync(join(merged, 'written'), 'utf8'), 'x')

    await snapshots.remove(container)
    await snapshots.settled()
    assert.deepEqual(await snapshots.list(), { layers: topFirst(layers).sort(), others: [] })
    assert.ok(!existsSync(join(snapshots.root, container)))
    for (const { id } of layers.reverse()) await snapshots.remove(id)
    await snapshots.settled()
    assert.deepEqual(readdirSync(snapshots.root).sort(), ['.making', '.trash', 'l'])
    assert.deepEqual(readdirSync(join(snapshots.root, 'l')), [])
  })

  test('has layers made where ext4 puts each into a part of the disk of its own', async (t) => {
    const { snapshots } = await imageStores(t)
    if (execFileSync('stat', ['-f', '-c', '%T', snapshots.root], { encoding: 'utf8' }).trim() !== 'ext2/ext3') return t.skip('another file system')
    const [attributes = ''] = execFileSync('lsattr', ['-d', join(snapshots.root, '.making')], { encoding: 'utf8' }).split(' ')
    assert.match(attributes, /T/)
  })

  test('mounted volatile can be mounted again', async (t) => {
    const stores = await imageStores(t)
    const layers = await stack(stores, base)
    stores.snapshots.prepare(container, topFirst(layers), { init: false })
    for (let round = 0; round < 2; round++) {
      const merged = await stores.snapshots.mount(container, { volatile: true })
      assert.match(mountsBelow(merged)[0]?.superOptions ?? '', /\bvolatile\b/)
      assert.ok(!existsSync(join(merged, '.dockerenv')))
      writeFileSync(join(merged, `round${round}`), '')
      await stores.snapshots.unmount(container)
    }
    assert.deepEqual(readdirSync(stores.snapshots.layout(container).diff), ['round0', 'round1'])
  })

  test('outlives the store that mounted it', async (t) => {
    const stores = await imageStores(t)
    const layers = await stack(stores, base)
    stores.snapshots.prepare(container, topFirst(layers))
    const merged = await stores.snapshots.mount(container)
    const again = await stores.reopen()
    assert.ok(again.isMounted(container))
    assert.equal(await again.mount(container), merged)
    assert.equal(mountsBelow(again.root).length, 2)
    await again.unmount(container)
    assert.equal(mountsBelow(again.root).length, 1)
  })

  test('that is removed takes no reader any more, and leaves no mount', async (t) => {
    const stores = await imageStores(t)
    const { snapshots } = stores
    const layers = await stack(stores, base)
    for (let round = 0; round < 10; round++) {
      snapshots.prepare(container, topFirst(layers))
      // Mounted in every other round: the unmount is then under way when readers come.
      if (round % 2 === 0) await snapshots.mount(container)
      const reads: Promise<'read' | 'gone'>[] = []
      const removal = snapshots.remove(container)
      while (existsSync(join(snapshots.root, container))) {
        reads.push(readOnce(snapshots))
        await setImmediate()
      }
      await removal
      reads.push(readOnce(snapshots))
      assert.equal((await Promise.all(reads)).at(-1), 'gone')
      assert.deepEqual(mountsBelow(snapshots.root).map(({ mountPoint }) => mountPoint), [snapshots.root], `round ${round}`)
      assert.ok(!existsSync(join(snapshots.root, container)))
    }
    await snapshots.settled()
    assert.deepEqual(readdirSync(join(snapshots.root, '.trash')), [])
  })

  test('has one short link, whatever a crash left of others', async (t) => {
    const stores = await imageStores(t)
    const layers = await stack(stores, base)
    const { directory, diff, link } = stores.snapshots.prepare(container, topFirst(layers))
    const folder = join(stores.snapshots.root, 'l')
    const before = readdirSync(folder)
    // A layer that was made twice, and a container whose files were on the way to become a layer.
    symlinkSync(`../${layers[0]?.id}/diff`, join(folder, 'B'.repeat(26)))
    symlinkSync(`../${'9'.repeat(64)}/diff`, join(folder, 'C'.repeat(26)))
    renameSync(diff, join(directory, 'elsewhere'))
    await stores.reopen()
    assert.deepEqual(readdirSync(folder), before)
    assert.ok(before.includes(readFileSync(link, 'utf8')))
  })

  test('of 120 layers can be mounted', async (t) => {
    const stores = await imageStores(t)
    const layers = await stack(stores, ...Array.from({ length: 120 }, (_, index) => tarOf([newEntry('file', `f${index}`), String(index)])))
    stores.snapshots.prepare(container, topFirst(layers))
    const merged = await stores.snapshots.mount(container)
    assert.equal(readdirSync(merged).filter((name) => /^f\d+$/.test(name)).length, 120)
  })

  test('is mounted by mount(2) where paths are too long for fsconfig(2)', async (t) => {
    const stores = await imageStores(t, undefined, `${'long-name/'.repeat(25)}end`)
    const layers = await stack(stores, base, second)
    stores.snapshots.prepare(container, topFirst(layers))
    const merged = await stores.snapshots.mount(container)
    assert.ok(merged.length > 256)
    assert.equal(readFileSync(join(merged, 'd/new'), 'utf8'), 'new')
    assert.deepEqual(mountsBelow(stores.snapshots.root).map(({ propagation }) => propagation), [[], []])
    await stores.snapshots.unmount(container)
    assert.deepEqual(readdirSync(merged), [])
  })

  test('over no layer at all has the mount points', async (t) => {
    const { snapshots } = await imageStores(t)
    snapshots.prepare(container, [])
    assert.deepEqual(readdirSync(await snapshots.mount(container)).sort(), ['.dockerenv', 'dev', 'etc', 'proc', 'sys'])
  })

  test('of an image whose /etc and /dev are links leads nowhere else', async (t) => {
    const stores = await imageStores(t)
    const outside = join(stores.directory, 'outside')
    mkdirSync(outside)
    const layers = await stack(stores, tarOf([newEntry('symlink', 'etc', { linkPath: Buffer.from(outside) })], [newEntry('symlink', 'dev', { linkPath: Buffer.from('../../../outside') })], [newEntry('file', 'proc')]))
    stores.snapshots.prepare(container, topFirst(layers))
    assert.deepEqual(readdirSync(await stores.snapshots.mount(container)).sort(), ['.dockerenv', 'dev', 'etc', 'proc', 'sys'])
    assert.deepEqual(readdirSync(outside), [])
  })
})

describe('what a container wrote', () => {
  async function written(stores: ImageStores): Promise<{ layers: Layer[]; merged: string }> {
    const layers = await stack(stores, base, second)
    stores.snapshots.prepare(container, topFirst(layers))
    const merged = await stores.snapshots.mount(container)
    rmSync(join(merged, 'kept'))
    writeFileSync(join(merged, 'e/one'), 'changed')
    writeFileSync(join(merged, 'e/three'), 'three')
    renameSync(join(merged, 'e/two'), join(merged, 'moved'))
    rmSync(join(merged, 'd'), { recursive: true })
    mkdirSync(join(merged, 'd'))
    writeFileSync(join(merged, 'd/fresh'), '')
    symlinkSync('/etc/shadow', join(merged, 'link'))
    writeFileSync(join(merged, 'cap'), 'program')
    setXattr(join(merged, 'cap'), 'security.capability', Buffer.from('0100000280000000000000000000000000000000', 'hex'))
    execFileSync('ln', [join(merged, 'cap'), join(merged, 'cap2')])
    utimesSync(join(merged, 'cap'), 1_600_000_000.75, 1_600_000_000.75)
    // What is made of it is made later.
    const { diff } = stores.snapshots.layout(container)
    for (const name of ['kept', 'e/two', 'd', 'e']) utimesSync(join(diff, name), 1_700_000_000, 1_700_000_000)
    return { layers, merged }
  }

  test('is listed as Docker lists it', async (t) => {
    const stores = await imageStores(t)
    await written(stores)
    const lines = (await stores.snapshots.changes(container)).map(({ path, kind }) => `${'CAD'[kind]} ${path}`)
    assert.deepEqual(lines, ['A /cap', 'A /cap2', 'C /d', 'A /d/fresh', 'D /d/new', 'C /e', 'C /e/one', 'A /e/three', 'D /e/two', 'D /kept', 'A /link', 'A /moved'])
    assert.equal(await stores.snapshots.usage(container), 'changed'.length + 'three'.length + 'two'.length + '/etc/shadow'.length + 'program'.length)
  })

  for (const way of ['copied while it is mounted', 'adopted'] as const) {
    test(`becomes a layer, ${way}, that shows the same`, async (t) => {
      const stores = await imageStores(t)
      const { snapshots } = stores
      const { layers, merged } = await written(stores)
      const listing = (root: string): string => execFileSync('find', ['.', '-not', '-type', 'd', '-printf', '%p %y %m %s %l %n\n'], { cwd: root, encoding: 'utf8' }).split('\n').sort().join('\n')
      const before = listing(merged)
      const name = (diffId: Digest): string => digestHex(chainId([...layers.map((layer) => layer.diffId), diffId]))
      const archived = await snapshots.archive(container)
      const layer =
        way === 'adopted' ? await snapshots.adoptLayer(container, archived, topFirst(layers), name) : await snapshots.createLayer({ snapshot: container }, topFirst(layers), name)
      assert.equal(layer.diffId, archived.diffId)
      assert.equal(layer.size, 'changed'.length + 'three'.length + 'two'.length + '/etc/shadow'.length + 'program'.length)
      if (way === 'adopted') assert.deepEqual((await snapshots.list()).others, [])
      assert.deepEqual(await snapshots.archive(layer.id), archived)
      const other = 'd'.repeat(64)
      snapshots.prepare(other, [layer.id, ...topFirst(layers)])
      const again = await snapshots.mount(other)
      assert.equal(listing(again), before)
      assert.equal(getXattr(join(again, 'cap2'), 'security.capability')?.length, 20)
      assert.equal(lstatSync(join(again, 'cap'), { bigint: true }).mtimeNs / 1_000_000_000n, 1_600_000_000n)
      assert.deepEqual(await snapshots.changes(other), [])
    })
  }
})
