import assert from 'node:assert/strict'
import { constants, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, afterEach, describe, test } from 'node:test'
import { failedWith } from '../syscall-error.ts'
import { Errno } from '../errno.ts'
import { mkdirAllInRoot, openBeneath, openChild, openInRoot, openParent, openRoot, O_PATH, readFileInRoot, readlinkInRoot, removeTree, splitPath, statInRoot } from './index.ts'

describe('hostile paths', () => {
  let base: string
  let root: string
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'paths-'))
    root = join(base, 'root')
    mkdirSync(root)
    writeFileSync(join(base, 'secret'), 'outside')
  })
  afterEach(() => rmSync(base, { recursive: true }))

  test('links and dots end at the root', () => {
    mkdirSync(join(root, 'etc'))
    writeFileSync(join(root, 'secret'), 'inside')
    symlinkSync('/secret', join(root, 'etc/absolute'))
    symlinkSync('../../../secret', join(root, 'etc/relative'))
    symlinkSync(join(base, 'secret'), join(root, 'etc/host'))
    using directory = openRoot(root)
    for (const path of ['/secret', 'secret', 'etc/absolute', '/etc/relative', '../../secret', 'etc/../../secret']) {
      assert.equal(readFileInRoot(directory.fd, path, 100).toString(), 'inside', path)
    }
    assert.throws(() => readFileInRoot(directory.fd, 'etc/host', 100), (error) => failedWith(error, Errno.ENOENT))
    assert.equal(readlinkInRoot(directory.fd, 'etc/host').toString(), join(base, 'secret'))
  })

  test('openBeneath refuses what openInRoot cuts off', () => {
    symlinkSync('/secret', join(root, 'absolute'))
    using directory = openRoot(root)
    for (const path of ['../secret', 'absolute', '/secret']) {
      assert.throws(() => openBeneath(directory.fd, path, O_PATH), (error) => failedWith(error, Errno.EXDEV), path)
    }
  })

  test("links of /proc that jump are refused", () => {
    using host = openRoot('/')
    assert.throws(() => openInRoot(host.fd, `/proc/self/fd/${host.fd}`, O_PATH), (error) => failedWith(error, Errno.ELOOP))
  })

  test('openParent and openChild take only names', () => {
    using directory = openRoot(root)
    for (const path of ['', '/', '.', 'a/..', '..']) assert.throws(() => openParent(directory.fd, path), { code: 'invalid-argument' }, path)
    for (const name of ['', '.', '..', 'a/b']) assert.throws(() => openChild(directory.fd, name, O_PATH), { code: 'invalid-argument' }, name)
    assert.throws(() => openInRoot(directory.fd, 'a\0b', O_PATH), { code: 'invalid-argument' })
    symlinkSync('/', join(root, 'up'))
    using parent = openParent(directory.fd, 'up/../up/new/')
    assert.equal(parent.name.toString(), 'new')
    using child = openChild(parent.directory.fd, 'new', constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
    assert.ok(child.fd > 2)
    assert.ok(existsSync(join(root, 'new')))
  })

  test('splitPath keeps bytes that are not UTF-8', () => {
    const { parent, name } = splitPath(Buffer.from([0x61, 0x2f, 0xff, 0xfe, 0x2f]))
    assert.deepEqual(parent, Buffer.from('a/'))
    assert.deepEqual(name, Buffer.from([0xff, 0xfe]))
  })

  test('mkdirAllInRoot makes what is missing, through links, inside', () => {
    symlinkSync('/made/by/link', join(root, 'dangling'))
    symlinkSync('../../../up', join(root, 'outwards'))
    symlinkSync('loop-b', join(root, 'loop-a'))
    symlinkSync('loop-a', join(root, 'loop-b'))
    writeFileSync(join(root, 'file'), '')
    using directory = openRoot(root)
    const before = process.umask(0o077)
    try {
      mkdirAllInRoot(directory.fd, '/a/b//c/./d', 0o755).close()
    } finally {
      process.umask(before)
    }
    assert.equal(lstatSync(join(root, 'a/b/c/d')).mode & 0o7777, 0o755)
    mkdirAllInRoot(directory.fd, 'dangling/x', 0o700).close()
    assert.ok(lstatSync(join(root, 'made/by/link/x')).isDirectory())
    mkdirAllInRoot(directory.fd, 'outwards/y', 0o700).close()
    assert.ok(lstatSync(join(root, 'up/y')).isDirectory())
    mkdirAllInRoot(directory.fd, '../../z', 0o700).close()
    assert.ok(lstatSync(join(root, 'z')).isDirectory())
    assert.deepEqual(readdirSync(base).sort(), ['root', 'secret'])
    assert.throws(() => mkdirAllInRoot(directory.fd, 'loop-a/x', 0o700), (error) => failedWith(error, Errno.ELOOP))
    assert.throws(() => mkdirAllInRoot(directory.fd, 'file/x', 0o700), (error) => failedWith(error, Errno.ENOTDIR))
  })

  test('readFileInRoot refuses what is no file or too large', () => {
    execFileSync('mkfifo', [join(root, 'fifo')])
    writeFileSync(join(root, 'large'), Buffer.alloc(101))
    writeFileSync(join(root, 'exact'), Buffer.alloc(100))
    using directory = openRoot(root)
    assert.throws(() => readFileInRoot(directory.fd, 'fifo', 100), { message: 'fifo is not a regular file' })
    assert.throws(() => readFileInRoot(directory.fd, '/', 100), { message: '/ is not a regular file' })
    assert.throws(() => readFileInRoot(directory.fd, 'large', 100), { message: 'large is larger than 100 bytes' })
    assert.equal(readFileInRoot(directory.fd, 'exact', 100).length, 100)
    // Files of /proc say that their size is 0.
    using host = openRoot('/proc')
    assert.match(readFileInRoot(host.fd, 'version', 1000).toString(), /^Linux/)
  })

  test('statInRoot tells a link from its target', () => {
    symlinkSync('/nowhere', join(root, 'link'))
    using directory = openRoot(root)
    assert.equal(statInRoot(directory.fd, 'link'), undefined)
    assert.equal(statInRoot(directory.fd, 'link', false)?.isSymbolicLink(), true)
  })

  test('removeTree follows nothing and copes with depth', () => {
    mkdirSync(join(base, 'kept'))
    writeFileSync(join(base, 'kept/file'), 'kept')
    let deep = join(root, 'tree')
    mkdirSync(deep)
    symlinkSync('../../kept', join(deep, 'link'))
    for (let level = 0; level < 300; level++) {
      deep = join(deep, 'd')
      mkdirSync(deep)
    }
    writeFileSync(join(deep, 'leaf'), '')
    using directory = openRoot(root)
    removeTree(directory.fd, 'tree')
    removeTree(directory.fd, 'tree')
    assert.deepEqual(readdirSync(root), [])
    assert.equal(readFileSync(join(base, 'kept/file'), 'utf8'), 'kept')
  })
})
