import assert from 'node:assert/strict'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { newEntry } from '@engine/image'
import { listXattrs } from '@engine/linux/xattr'
import { imageStores } from '../harness/image-stores.ts'
import { layerOf, tarOf } from '../harness/layer-entries.ts'

describe('attacks by a layer', () => {
  /** Everything outside the layer's directory that an attack could have made or changed. */
  const secret = 'untouched'
  const attacks: readonly (readonly [string, (outside: string) => Buffer])[] = [
    ['.. in a name', () => tarOf([newEntry('file', '../../../../outside/owned'), 'x'])],
    ['.. behind a directory', () => tarOf(newEntry('directory', 'a/'), [newEntry('file', 'a/../../../../../outside/owned'), 'x'])],
    ['an absolute name', (outside) => tarOf([newEntry('file', `${outside}/owned`), 'x'])],
    ['an absolute link, then a file through it', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(outside) }), [newEntry('file', 'l/owned'), 'x'])],
    ['a relative link, then a file through it', () => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from('../../../outside') }), [newEntry('file', 'l/owned'), 'x'])],
    ['a chain of links', () => tarOf(newEntry('symlink', 'a', { linkPath: Buffer.from('..') }), newEntry('symlink', 'b', { linkPath: Buffer.from('a/..') }), newEntry('symlink', 'c', { linkPath: Buffer.from('b/../outside') }), [newEntry('file', 'c/owned'), 'x'])],
    ['a link to the file to overwrite', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(`${outside}/secret`) }), [newEntry('file', 'l'), 'x'])],
    ['a hard link to a file outside', (outside) => tarOf(newEntry('hardlink', 'h', { linkPath: Buffer.from(`${outside}/secret`) }), [newEntry('file', 'h'), 'x'])],
    ['a hard link with ..', () => tarOf(newEntry('hardlink', 'h', { linkPath: Buffer.from('../../../outside/secret') }))],
    ['a hard link through a link', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(outside) }), newEntry('hardlink', 'h', { linkPath: Buffer.from('l/secret') }))],
    ['a hard link to a link, opened for writing', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(`${outside}/secret`) }), newEntry('hardlink', 'h', { linkPath: Buffer.from('l') }), [newEntry('file', 'h'), 'x'])],
    ['an owner and a mode for a hard link to a link', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(`${outside}/secret`) }), newEntry('hardlink', 'h', { linkPath: Buffer.from('l'), uid: 99, mode: 0o777, mtime: 5n, xattrs: new Map([['user.x', Buffer.from('y')]]) }))],
    ['an owner and a mode for a hard link through a link', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(outside) }), newEntry('hardlink', 'h', { linkPath: Buffer.from('l/secret'), uid: 99, mode: 0o777 }))],
    ['a hard link to the directory itself', () => tarOf(newEntry('directory', 'd/'), newEntry('hardlink', 'h', { linkPath: Buffer.from('d'), uid: 99, mode: 0o777 }))],
    ['a mode for a link', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(`${outside}/secret`), mode: 0o777 }))],
    ['a directory over a link', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(outside) }), newEntry('directory', 'l/', { mode: 0o777, uid: 99 }))],
    ['a whiteout through a link', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(outside) }), newEntry('file', 'l/.wh.secret'))],
    ['a whiteout of ..', () => tarOf(newEntry('file', '.wh...'))],
    ['an opaque directory through a link', (outside) => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from(outside) }), newEntry('file', 'l/.wh..wh..opq'))],
    ['a link of /proc that jumps', () => tarOf(newEntry('symlink', 'l', { linkPath: Buffer.from('/proc/self/root/tmp') }), [newEntry('file', 'l/owned'), 'x'])],
    ['times of a directory that became a link', (outside) => tarOf(newEntry('directory', 'd/', { mtime: 1_000_000_000n }), newEntry('symlink', 'd', { linkPath: Buffer.from(outside) }))],
    ['attributes of the overlay', () => tarOf(newEntry('directory', 'd/', { xattrs: new Map([['trusted.overlay.redirect', Buffer.from('/')], ['trusted.overlay.opaque', Buffer.from('y')], ['security.selinux', Buffer.from('x')]]) }))],
    ['an owner that means "leave it"', () => tarOf(newEntry('file', 'f', { uid: 2 ** 32 - 1 }))],
  ]
  for (const [name, attack] of attacks) {
    test(name, async (t) => {
      const stores = await imageStores(t)
      const outside = join(stores.directory, 'outside')
      mkdirSync(outside, { mode: 0o755 })
      writeFileSync(join(outside, 'secret'), secret, { mode: 0o600 })
      const before = [outside, join(outside, 'secret')].map((path) => statSync(path, { bigint: true }))
      const siblings = (): string[] => readdirSync(stores.directory).sort()
      const names = siblings()
      try {
        const layer = await layerOf(stores, attack(outside))
        const { diff } = stores.snapshots.layout(layer.id)
        if (existsSync(join(diff, 'd')) && lstatSync(join(diff, 'd')).isDirectory()) assert.deepEqual(listXattrs(join(diff, 'd')), [])
      } catch (error) {
        // Refused: by our own checks, or by the kernel with the directory as root.
        const { code, message } = error as { code?: string; message: string }
        assert.ok(code === 'invalid-argument' || /^(openat2|linkat|mknodat)\(.*: (no such file or directory|too many levels of symbolic links|not a directory)$/.test(message), message)
      }
      assert.deepEqual(readdirSync(outside), ['secret'])
      assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), secret)
      const after = [outside, join(outside, 'secret')].map((path) => statSync(path, { bigint: true }))
      for (const [index, stats] of before.entries()) {
        const now = after[index]
        assert.deepEqual([now?.mode, now?.uid, now?.nlink, now?.mtimeNs, now?.ctimeNs], [stats.mode, stats.uid, stats.nlink, stats.mtimeNs, stats.ctimeNs])
      }
      assert.deepEqual(siblings(), names)
      assert.ok(!existsSync('/tmp/owned') && !existsSync('/outside'))
    })
  }
})
