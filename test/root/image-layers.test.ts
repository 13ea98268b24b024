import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { defaultLimits, digestHex, digestOf, newEntry } from '@engine/image'
import { getXattr } from '@engine/linux/xattr'
import { imageStores } from '../harness/image-stores.ts'
import { layerOf, tarOf } from '../harness/layer-entries.ts'

describe('a layer', () => {
  test('is what the tar says: types, owners, modes, times, attributes', async (t) => {
    const stores = await imageStores(t)
    const capability = Buffer.from('0100000280000000000000000000000000000000', 'hex')
    const tar = tarOf(
      newEntry('directory', './', { mode: 0o711 }),
      newEntry('directory', 'd/', { mode: 0o2775, uid: 5, gid: 6, mtime: 1_000_000_000_123_456_789n }),
      [newEntry('file', 'd/setuid', { mode: 0o4755, uid: 7, gid: 8, mtime: 1_500_000_000_987_654_321n, xattrs: new Map([['security.capability', capability], ['user.note', Buffer.from([0, 255, 128])]]) }), 'program'],
      newEntry('hardlink', 'd/hard', { mode: 0o4755, uid: 7, gid: 8, mtime: 1_500_000_000_987_654_321n, linkPath: Buffer.from('d/setuid') }),
      newEntry('symlink', 'd/link', { linkPath: Buffer.from('/etc/passwd'), uid: 9, gid: 10, mtime: 5_000_000_000n }),
      newEntry('fifo', 'd/fifo', { mode: 0o622 }),
      newEntry('char', 'd/null', { mode: 0o666, deviceMajor: 1, deviceMinor: 3 }),
      newEntry('block', 'd/disk', { mode: 0o660, gid: 6, deviceMajor: 259, deviceMinor: 300_000 }),
      [newEntry('file', Buffer.from([0x64, 0x2f, 0xff, 0xe9])), 'not UTF-8'],
      [newEntry('file', 'implied/parent/file'), 'x'],
    )
    const layer = await layerOf(stores, tar)
    assert.equal(layer.diffId, digestOf(tar))
    assert.equal(layer.tarSize, tar.length)
    assert.equal(layer.entries, 10)
    assert.equal(layer.size, 'program'.length + '/etc/passwd'.length + 'not UTF-8'.length + 1)
    const { diff, committed } = stores.snapshots.layout(layer.id)
    assert.ok(existsSync(committed))
    const at = (path: string) => lstatSync(join(diff, path), { bigint: true })
    assert.equal(at('.').mode & 0o7777n, 0o711n)
    assert.deepEqual([at('d').mode & 0o7777n, at('d').uid, at('d').gid, at('d').mtimeNs], [0o2775n, 5n, 6n, 1_000_000_000_123_456_789n])
    const setuid = at('d/setuid')
    assert.deepEqual([setuid.mode & 0o7777n, setuid.uid, setuid.gid, setuid.mtimeNs, setuid.nlink], [0o4755n, 7n, 8n, 1_500_000_000_987_654_321n, 2n])
    assert.equal(at('d/hard').ino, setuid.ino)
    assert.deepEqual(getXattr(join(diff, 'd/setuid'), 'security.capability'), capability)
    assert.deepEqual(getXattr(join(diff, 'd/setuid'), 'user.note'), Buffer.from([0, 255, 128]))
    assert.equal(readlinkSync(join(diff, 'd/link')), '/etc/passwd')
    assert.deepEqual([at('d/link').uid, at('d/link').mtimeNs], [9n, 5_000_000_000n])
    assert.ok(at('d/fifo').isFIFO())
    assert.equal(at('d/fifo').mode & 0o7777n, 0o622n)
    assert.equal(execFileSync('stat', ['-c', '%t,%T %a', join(diff, 'd/null'), join(diff, 'd/disk')], { encoding: 'utf8' }), '1,3 666\n103,493e0 660\n')
    assert.equal(readFileSync(Buffer.concat([Buffer.from(`${diff}/d/`), Buffer.from([0xff, 0xe9])]), 'utf8'), 'not UTF-8')
    assert.deepEqual([at('implied/parent').mode & 0o7777n, at('implied/parent').uid], [0o755n, 0n])
    assert.equal(at('implied/parent/file').mode & 0o7777n, 0o644n)

    // Its tar, made again of its files, gives the same tree and then always the same bytes.
    const first = await stores.snapshots.archive(layer.id, join(stores.directory, 'again.tar'))
    assert.deepEqual(await stores.snapshots.archive(layer.id), first)
    const streamed = Buffer.concat(await stores.snapshots.archiveStream(layer.id).toArray() as Buffer[])
    assert.equal(digestOf(streamed), first.diffId)
    const copy = await layerOf(stores, readFileSync(join(stores.directory, 'again.tar')))
    assert.equal(copy.diffId, first.diffId)
    assert.deepEqual(await stores.snapshots.archive(copy.id), first)
    assert.equal(copy.size, layer.size)
    assert.deepEqual(getXattr(join(stores.snapshots.layout(copy.id).diff, 'd/hard'), 'security.capability'), capability)
  })

  test('gives a file what the last of its entries says, and takes nothing away that no entry changes', async (t) => {
    const stores = await imageStores(t)
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
    const link = (target: string) => ({ linkPath: Buffer.from(target) })
    const first = { uid: 1, gid: 1, mode: 0o4755, mtime: 100_000_000_001n }
    const later = { uid: 2, gid: 3, mode: 0o2711, mtime: 200_000_000_002n }
    const capable = new Map([['security.capability', capability]])
    const tar = tarOf(
      [newEntry('file', 'same', { ...first, xattrs: capable }), 'x'],
      newEntry('hardlink', 'same-link', { ...first, ...link('same') }),
      [newEntry('file', 'other', { ...first, xattrs: capable }), 'x'],
      newEntry('hardlink', 'other-link', { ...later, ...link('/other'), atime: 150_000_000_000n, xattrs: new Map([['user.note', Buffer.from([0xff])]]) }),
      [newEntry('file', 'again', { ...first, xattrs: capable }), 'x'],
      newEntry('hardlink', 'again-link', { ...later, ...link('again'), xattrs: capable }),
      [newEntry('file', 'owner', first), 'x'],
      newEntry('hardlink', 'owner-link', { ...first, uid: 4_000_000, ...link('./owner') }),
      newEntry('symlink', 'symlink', { ...first, ...link('same') }),
      newEntry('hardlink', 'symlink-link', { ...later, ...link('symlink') }),
      newEntry('fifo', 'fifo', first),
      newEntry('hardlink', 'fifo-link', { ...later, ...link('fifo') }),
      newEntry('char', 'null', { ...first, deviceMajor: 1, deviceMinor: 3 }),
      newEntry('hardlink', 'null-link', { ...later, ...link('null') }),
    )
    const { diff } = stores.snapshots.layout((await layerOf(stores, tar)).id)
    const at = (name: string): readonly unknown[] => {
      const [stats, linked] = ['', '-link'].map((end) => lstatSync(join(diff, `${name}${end}`), { bigint: true }))
      assert.equal(linked?.ino, stats?.ino, name)
      return [stats?.uid, stats?.gid, (stats?.mode ?? 0n) & 0o7777n, stats?.mtimeNs, stats?.atimeNs]
    }
    const capabilityOf = (name: string) => getXattr(join(diff, name), 'security.capability')
    assert.deepEqual([at('same'), capabilityOf('same')], [[1n, 1n, 0o4755n, 100_000_000_001n, 100_000_000_001n], capability])
    assert.deepEqual([at('other'), capabilityOf('other')], [[2n, 3n, 0o2711n, 200_000_000_002n, 150_000_000_000n], undefined])
    assert.deepEqual(getXattr(join(diff, 'other'), 'user.note'), Buffer.from([0xff]))
    assert.deepEqual([at('again').slice(0, 2), capabilityOf('again')], [[2n, 3n], capability])
    assert.deepEqual(at('owner').slice(0, 3), [4_000_000n, 1n, 0o4755n])
    assert.deepEqual(at('symlink').slice(0, 4), [2n, 3n, 0o777n, 100_000_000_001n])
    for (const name of ['fifo', 'null']) assert.deepEqual(at(name).slice(0, 4), [2n, 3n, 0o2711n, 200_000_000_002n], name)
    assert.ok(lstatSync(join(diff, 'fifo')).isFIFO() && lstatSync(join(diff, 'null')).isCharacterDevice())
  })

  test('whose tar is made again tells the attributes of a file with each of its links, for those who apply them', async (t) => {
    const stores = await imageStores(t)
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
    const described = { mode: 0o755, uid: 1, mtime: 100_000_000_000n, xattrs: new Map([['security.capability', capability]]) }
    const layer = await layerOf(stores, tarOf([newEntry('file', 'a', described), 'x'], newEntry('hardlink', 'b', { ...described, linkPath: Buffer.from('a') })))
    const file = join(stores.directory, 'again.tar')
    await stores.snapshots.archive(layer.id, file)
    // bsdtar and GNU tar show nothing of a link's attributes: the bytes are counted.
    const records = readFileSync(file, 'latin1').split(`SCHILY.xattr.security.capability=${capability.toString('latin1')}`)
    assert.equal(records.length - 1, 2)
    assert.match(execFileSync('tar', ['-tvf', file], { encoding: 'utf8' }), /^hrwxr-xr-x 1\/0 +0 .* b link to a$/m)
  })

  test('replaces earlier entries of the same name', async (t) => {
    const stores = await imageStores(t)
    const layer = await layerOf(
      stores,
      tarOf(
        newEntry('directory', 'a/', { mtime: 5_000_000_000n }),
        [newEntry('file', 'a/inner'), 'x'],
        newEntry('symlink', 'l', { linkPath: Buffer.from('a') }),
        [newEntry('file', 'l/through'), 'through the link'],
        [newEntry('file', 'a'), 'file instead of directory'],
        newEntry('directory', 'l/', { mtime: 7_000_000_000n }),
        [newEntry('file', 'l/own'), 'own'],
        [newEntry('file', 'twice'), 'first'],
        [newEntry('file', 'twice'), 'second!'],
        newEntry('directory', 'keep/', { mode: 0o700 }),
        [newEntry('file', 'keep/file'), ''],
        newEntry('directory', 'keep/', { mode: 0o750 }),
      ),
    )
    const { diff } = stores.snapshots.layout(layer.id)
    assert.equal(readFileSync(join(diff, 'a'), 'utf8'), 'file instead of directory')
    assert.deepEqual(readdirSync(join(diff, 'l')), ['own'])
    assert.equal(lstatSync(join(diff, 'l'), { bigint: true }).mtimeNs, 7_000_000_000n)
    assert.equal(readFileSync(join(diff, 'twice'), 'utf8'), 'second!')
    assert.deepEqual([lstatSync(join(diff, 'keep')).mode & 0o7777, readdirSync(join(diff, 'keep'))], [0o750, ['file']])
    assert.equal(layer.size, await stores.snapshots.usage(layer.id))
  })

  test('turns whiteouts into what an overlay understands, and back', async (t) => {
    const stores = await imageStores(t)
    const tar = tarOf(
      newEntry('directory', 'd/'),
      newEntry('file', 'd/.wh..wh..opq', { mode: 0 }),
      [newEntry('file', 'd/new'), 'x'],
      newEntry('file', '.wh.gone', { mode: 0 }),
      // Not in order: a directory that replaces a lower one hides it, whichever comes first.
      newEntry('file', '.wh.replaced'),
      newEntry('directory', 'replaced/'),
      newEntry('directory', 'also/'),
      newEntry('file', '.wh.also'),
      newEntry('file', '.wh..wh.plnk'),
    )
    const layer = await layerOf(stores, tar)
    const { diff } = stores.snapshots.layout(layer.id)
    assert.deepEqual(readdirSync(diff).sort(), ['also', 'd', 'gone', 'replaced'])
    const gone = statSync(join(diff, 'gone'))
    assert.ok(gone.isCharacterDevice() && gone.rdev === 0)
    for (const name of ['d', 'replaced', 'also']) assert.deepEqual(getXattr(join(diff, name), 'trusted.overlay.opaque'), Buffer.from('y'), name)
    const list = execFileSync('tar', ['-t'], { input: Buffer.concat(await stores.snapshots.archiveStream(layer.id).toArray() as Buffer[]), encoding: 'utf8' })
    assert.deepEqual(list.trim().split('\n').sort(), ['.wh.gone', 'also/', 'also/.wh..wh..opq', 'd/', 'd/.wh..wh..opq', 'd/new', 'replaced/', 'replaced/.wh..wh..opq'])
    for (const name of ['.wh.', '.wh..', '.wh...']) {
      await assert.rejects(layerOf(stores, tarOf(newEntry('file', `d/${name}`))), { code: 'invalid-argument' }, name)
    }
  })

  test('is read compressed with gzip, zstd, xz and bzip2', async (t) => {
    const stores = await imageStores(t)
    const tar = tarOf([newEntry('file', 'f'), 'x'.repeat(3_000_000)])
    const forms: readonly (readonly [string, Buffer])[] = [
      ['gzip', gzipSync(tar)],
      ['gzip of two members', Buffer.concat([gzipSync(tar.subarray(0, 1000)), gzipSync(tar.subarray(1000))])],
      ['zstd', zstdCompressSync(tar)],
      ['zstd of two frames', Buffer.concat([zstdCompressSync(tar.subarray(0, 1000)), zstdCompressSync(tar.subarray(1000))])],
      ['xz', execFileSync('xz', ['-c'], { input: tar, maxBuffer: 1 << 26 })],
      ['bzip2', existsSync('/usr/bin/bzip2') ? execFileSync('bzip2', ['-c'], { input: tar, maxBuffer: 1 << 26 }) : tar],
    ]
    for (const [name, bytes] of forms) assert.equal((await layerOf(stores, bytes)).diffId, digestOf(tar), name)
    assert.deepEqual((await stores.snapshots.list()).layers, [digestHex(digestOf(tar))])
    for (const [name, bytes] of forms) {
      await assert.rejects(layerOf(stores, bytes.subarray(0, bytes.length - Math.floor(bytes.length / 3))), { code: 'invalid-argument' }, `cut ${name}`)
    }
  })

  test('keeps the holes of a sparse file', async (t) => {
    const stores = await imageStores(t)
    const source = join(stores.directory, 'source')
    mkdirSync(source)
    execFileSync('truncate', ['-s', '200M', join(source, 'sparse')])
    writeFileSync(join(source, 'sparse'), 'end', { flag: 'a' })
    const tar = execFileSync('tar', ['--format=posix', '-S', '-C', source, '-cf', '-', 'sparse'])
    const layer = await layerOf(stores, tar)
    const stats = statSync(join(stores.snapshots.layout(layer.id).diff, 'sparse'))
    assert.equal(stats.size, 200 * 1024 * 1024 + 3)
    assert.ok(stats.blocks < 100, `${stats.blocks} blocks`)
  })

  test('that is damaged or too large leaves nothing', async (t) => {
    const stores = await imageStores(t, { ...defaultLimits, entries: 10, contentBytes: 1_000_000, depth: 5 })
    const bad: readonly (readonly [Buffer, RegExp])[] = [
      [Buffer.from('garbage\n'), /^unexpected EOF$/],
      [tarOf([newEntry('file', 'a'), 'x'.repeat(5000)]).subarray(0, 3000), /^unexpected EOF$/],
      [tarOf(...Array.from({ length: 11 }, (_, index) => newEntry('file', `f${index}`))), /more than 10 entries/],
      [gzipSync(tarOf([newEntry('file', 'bomb'), Buffer.alloc(1_000_001)])), /larger than 1000000 bytes/],
      [gzipSync(Buffer.concat([tarOf(newEntry('file', 'a')), Buffer.alloc(3_000_000)])), /larger than 2000000 bytes/],
      [tarOf([newEntry('file', 'a/b/c/d/e/f'), 'deep']), /deeper than 5 directories/],
      [tarOf(newEntry('hardlink', 'a', { linkPath: Buffer.from('missing') })), /no such file or directory/],
    ]
    for (const [tar, message] of bad) await assert.rejects(layerOf(stores, tar), { message }, String(message))
    await stores.snapshots.settled()
    const root = stores.snapshots.root
    assert.deepEqual(await stores.snapshots.list(), { layers: [], others: [] })
    for (const folder of ['.making', '.trash', 'l']) assert.deepEqual(readdirSync(join(root, folder)), [], folder)
  })

  test('under way is cancelled by its signal', async (t) => {
    const stores = await imageStores(t)
    const { digest } = await stores.content.ingest([gzipSync(tarOf([newEntry('file', 'a'), Buffer.alloc(200_000_000)]))])
    const cancel = new AbortController()
    const work = stores.snapshots.createLayer({ file: stores.content.path(digest) }, [], digestHex, cancel.signal)
    setTimeout(() => cancel.abort(), 60)
    await assert.rejects(work, { code: 'cancelled' })
    await stores.snapshots.settled()
    assert.deepEqual(readdirSync(join(stores.snapshots.root, '.making')), [])
  })

  test('half made at a crash is gone at the next start', async (t) => {
    const stores = await imageStores(t)
    const { root } = stores.snapshots
    mkdirSync(join(root, '.making/x/diff/deep'), { recursive: true })
    mkdirSync(join(root, '.trash/y'), { recursive: true })
    execFileSync('ln', ['-s', '../none/diff', join(root, 'l/DANGLING')])
    const layer = await layerOf(stores, tarOf(newEntry('file', 'f')))
    const again = await stores.reopen()
    await again.settled()
    assert.deepEqual([readdirSync(join(root, '.making')), readdirSync(join(root, '.trash')), readdirSync(join(root, 'l')).length], [[], [], 1])
    assert.ok(again.hasLayer(layer.id))
  })
})
