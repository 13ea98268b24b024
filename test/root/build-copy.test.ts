import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { getXattr, listXattrs, removeXattr, setXattr } from '@engine/linux/xattr'
import { copyFixture } from '../harness/copy-fixture.ts'

const fixture = copyFixture()
const { list, put, run } = fixture

describe('files', () => {
  test('go to a path, into a directory, and get root as owner', async () => {
    put({ 'a.txt': 'a', 'd/b.txt': 'b' })
    chownSync(join(fixture.context, 'a.txt'), 77, 77)
    chmodSync(join(fixture.context, 'a.txt'), 0o4750)
    utimesSync(join(fixture.context, 'a.txt'), 1e9, 1e9)
    const root = await run('FROM base\nWORKDIR /w\nCOPY a.txt /x/y/z\nCOPY a.txt d/b.txt rel/\nCOPY a.txt .\nCOPY a.txt /etc\nCOPY d/b.txt /etc/group')
    assert.deepEqual(list(root, 'x'), { x: '755 0:0 directory', 'x/y': '755 0:0 directory', 'x/y/z': '4750 0:0 a' })
    assert.deepEqual(list(root, 'w'), { w: '755 0:0 directory', 'w/a.txt': '4750 0:0 a', 'w/rel': '755 0:0 directory', 'w/rel/a.txt': '4750 0:0 a', 'w/rel/b.txt': '644 0:0 b' })
    assert.equal(readFileSync(join(root, 'etc/a.txt'), 'utf8'), 'a')
    assert.equal(readFileSync(join(root, 'etc/group'), 'utf8'), 'b')
    assert.equal(lstatSync(join(root, 'x/y/z')).mtimeMs, 1e12)
  })

  test('of the context are found through links and patterns, never outside', async () => {
    put({ 'one.txt': '1', 'two.txt': '2', 'd/three.txt': '3', 'x[y': 'odd' })
    symlinkSync('one.txt', join(fixture.context, 'link'))
    symlinkSync('/etc', join(fixture.context, 'evil'))
    symlinkSync('../../../../../../../../etc/passwd', join(fixture.context, 'worse'))
    const root = await run('FROM base\nCOPY *.txt /p/\nCOPY link /l/\nCOPY d/thr*[e-f].t?t /q/\nCOPY x[[]y /odd\nCOPY /d/../one.txt ./two.txt /r/')
    assert.deepEqual(readdirSync(join(root, 'p')), ['one.txt', 'two.txt'])
    assert.deepEqual(list(root, 'l'), { l: '755 0:0 directory', 'l/link': '644 0:0 1' })
    assert.deepEqual(readdirSync(join(root, 'q')), ['three.txt'])
    assert.deepEqual(readdirSync(join(root, 'r')), ['one.txt', 'two.txt'])
    for (const source of ['evil', 'evil/passwd', 'worse']) {
      await assert.rejects(run(`FROM base\nCOPY ${source} /x`), { message: `COPY failed: file not found in build context or excluded by .dockerignore: stat ${source}: file does not exist` })
    }
    // What would lead outside begins at the context's root, as the reference says; a pattern that matches nothing copies nothing, as with BuildKit.
    const other = await run('FROM base\nCOPY ../one.txt /a\nCOPY ../../t*.txt ../nope* /b/\nADD /../d /e/\nCOPY nope* /x/\nADD --chown=1 nope? /y')
    assert.deepEqual(readdirSync(other).filter((name) => /^[abexy]$/.test(name)), ['a', 'b', 'e'])
    assert.deepEqual([readdirSync(join(other, 'b')), readdirSync(join(other, 'e'))], [['two.txt'], ['three.txt']])
    await assert.rejects(run('FROM base\nCOPY ../../../../../../../../etc/passwd /x'), { message: /^COPY failed: file not found in build context or excluded by .dockerignore: stat / })
    // A directory that is there need not be written as one.
    const there = await run('FROM base\nWORKDIR /w\nCOPY one.txt two.txt .\nCOPY d one.txt /v\nCOPY --link one.txt two.txt /w\nCOPY one.txt nope* /z')
    assert.deepEqual([readdirSync(join(there, 'w')), readdirSync(join(there, 'v'))], [['one.txt', 'two.txt'], ['one.txt', 'three.txt']])
    assert.equal(readFileSync(join(there, 'z'), 'utf8'), '1')
    await assert.rejects(run('FROM base\nCOPY one.txt two.txt /x'), { message: 'When using COPY with more than one source file, the destination must be a directory and end with a /' })
  })

  test('are written through links of the image, inside of it', async () => {
    put({ f: 'new', 'd/g': 'g' })
    const outside = join(fixture.base, 'outside')
    mkdirSync(outside)
    const image = fixture.executor.files(fixture.executor.tags.get('base') as string)
    mkdirSync(join(image, 'real'))
    writeFileSync(join(image, 'real/old'), 'old')
    symlinkSync('/real/old', join(image, 'to-file'))
    symlinkSync('made/later', join(image, 'dangling'))
    symlinkSync('real', join(image, 'to-directory'))
    symlinkSync(outside, join(image, 'escape'))
    symlinkSync('loop', join(image, 'loop'))
    symlinkSync('../../../../../../../../tmp', join(image, 'up'))
    const root = await run('FROM base\nCOPY f /to-file\nCOPY f /dangling\nCOPY f /to-directory\nCOPY d /escape\nCOPY f /escape/x\nCOPY f /up/y')
    assert.deepEqual(list(root, 'real'), { real: '755 0:0 directory', 'real/f': '644 0:0 new', 'real/old': '644 0:0 new' })
    assert.equal(readlinkSync(join(root, 'to-file')), '/real/old')
    assert.equal(readFileSync(join(root, 'made/later'), 'utf8'), 'new')
    assert.deepEqual(readdirSync(join(root, outside)), ['g', 'x'])
    assert.deepEqual(readdirSync(outside), [])
    assert.ok(existsSync(join(root, 'tmp/y')))
    assert.ok(!existsSync('/tmp/y'))
    await assert.rejects(run('FROM base\nCOPY f /loop'), /ELOOP|too many levels/)
    await assert.rejects(run('FROM base\nCOPY f /etc/passwd/x'), { message: 'failed to copy files: /etc/passwd/x: not a directory' })
    await assert.rejects(run('FROM base\nCOPY d /etc/passwd'), { message: 'failed to copy files: /etc/passwd: not a directory' })
    await assert.rejects(run('FROM base\nWORKDIR /etc/passwd'), { message: 'Cannot mkdir: /etc/passwd is not a directory' })
  })
})

describe('directories', () => {
  test('give their content, links and names included, and are merged', async () => {
    put({ 'd/sub/f': 'f', 'd/empty/': '', 'd/file': 'new', 'd/dir/x': 'x' })
    symlinkSync('/anywhere', join(fixture.context, 'd/link'))
    linkSync(join(fixture.context, 'd/sub/f'), join(fixture.context, 'd/again'))
    execFileSync('mkfifo', [join(fixture.context, 'd/pipe')])
    chmodSync(join(fixture.context, 'd'), 0o700)
    chmodSync(join(fixture.context, 'd/sub'), 0o2711)
    const image = fixture.executor.files(fixture.executor.tags.get('base') as string)
    mkdirSync(join(image, 't/sub/kept'), { recursive: true })
    symlinkSync('/etc/passwd', join(image, 't/file'))
    const root = await run('FROM base\nCOPY d /new\nCOPY d/ t')
    assert.deepEqual(list(root, 'new'), {
      new: '755 0:0 directory', 'new/again': '644 0:0 f', 'new/dir': '755 0:0 directory', 'new/dir/x': '644 0:0 x', 'new/empty': '755 0:0 directory',
      'new/file': '644 0:0 new', 'new/link': '777 0:0 -> /anywhere', 'new/pipe': '644 0:0 special', 'new/sub': '2711 0:0 directory', 'new/sub/f': '644 0:0 f',
    })
    assert.equal(lstatSync(join(root, 'new/again')).ino, lstatSync(join(root, 'new/sub/f')).ino)
    assert.deepEqual(list(root, 't/sub'), { 't/sub': '2711 0:0 directory', 't/sub/f': '644 0:0 f', 't/sub/kept': '755 0:0 directory' })
    assert.equal(readFileSync(join(root, 't/file'), 'utf8'), 'new')
    // A file takes a link's place; nothing is written through it.
    assert.deepEqual(list(root, 't/file'), { 't/file': '644 0:0 new' })
    assert.match(readFileSync(join(root, 'etc/passwd'), 'utf8'), /^root:/)
  })
})

describe('what is in the way', () => {
  test('is replaced when it is a file or a link, and never when one of both is a directory', async () => {
    put({ 'file/x': 'new', 'dir/x/y': 'new' })
    mkdirSync(join(fixture.context, 'link'))
    symlinkSync('there', join(fixture.context, 'link/x'))
    const root = await run('FROM base\nCOPY file/x /a/x\nCOPY link /a\nCOPY link /b\nCOPY file /b')
    assert.deepEqual([list(root, 'a/x'), list(root, 'b/x')], [{ 'a/x': '777 0:0 -> there' }, { 'b/x': '644 0:0 new' }])
    for (const [first, second] of [['dir', 'file'], ['dir', 'link'], ['dir', 'file/x']]) {
      await assert.rejects(run(`FROM base\nCOPY ${first} /d\nCOPY ${second} /d/`), { message: 'cannot replace to directory x with file' })
    }
    for (const first of ['file', 'link']) {
      await assert.rejects(run(`FROM base\nCOPY ${first} /d\nCOPY dir /d`), { message: 'cannot copy to non-directory: x' })
      await assert.rejects(run(`FROM base\nCOPY ${first} /d\nCOPY --parents ./dir/./x/y /d`), { message: 'cannot copy to non-directory: x' })
    }
  })
})

describe('owner and mode', () => {
  test('are what --chown and --chmod say', async () => {
    put({ 'd/s/f': 'f', g: 'g' })
    symlinkSync('x', join(fixture.context, 'd/l'))
    const root = await run('FROM base\nARG U=bob\nCOPY --chown=$U:staff d /a/b\nCOPY --chown=bob g /h/i/\nCOPY --chown=7:8 --chmod=751 d /c\nCOPY --chmod=u=rw,go= g /m')
    assert.deepEqual(list(root, 'a'), { a: '755 1000:50 directory', 'a/b': '755 1000:50 directory', 'a/b/l': '777 1000:50 -> x', 'a/b/s': '755 1000:50 directory', 'a/b/s/f': '644 1000:50 f' })
    assert.deepEqual(list(root, 'h'), { h: '755 1000:1001 directory', 'h/i': '755 1000:1001 directory', 'h/i/g': '644 1000:1001 g' })
    assert.deepEqual(list(root, 'c'), { c: '751 7:8 directory', 'c/l': '777 7:8 -> x', 'c/s': '751 7:8 directory', 'c/s/f': '751 7:8 f' })
    assert.equal(list(root, 'm')['m'], '600 0:0 g')
    const failed = 'unable to convert uid/gid chown string to host mapping'
    await assert.rejects(run('FROM base\nCOPY --chown=bob:nope g /x'), { message: `${failed}: can't find gid for group nope: no such group: nope` })
    await assert.rejects(run('FROM base\nCOPY --chown=nope g /x'), { message: `${failed}: can't find uid for user nope: no such user: nope` })
    await assert.rejects(run('FROM base\nCOPY --chown=1:2:3 g /x'), { message: `${failed}: invalid chown string format: 1:2:3` })
  })

  test('are kept from other images and stages', async () => {
    put({ f: 'f' })
    const other = join(fixture.base, 'other')
    mkdirSync(join(other, 'o/p'), { recursive: true })
    writeFileSync(join(other, 'o/f'), 'of')
    for (const path of ['o', 'o/p', 'o/f']) chownSync(join(other, path), 5, 6)
    fixture.executor.add('other', {}, other)
    const root = await run('FROM base AS one\nCOPY --chown=bob f /f\nFROM base\nCOPY --from=other /o /x\nCOPY --from=one /f /y/\nCOPY --from=0 f /z\nCOPY --from=other --chown=1 o/f /w')
    assert.deepEqual(list(root, 'x'), { x: '755 0:0 directory', 'x/f': '644 5:6 of', 'x/p': '755 5:6 directory' })
    assert.deepEqual(list(root, 'y'), { y: '755 0:0 directory', 'y/f': '644 1000:1001 f' })
    assert.deepEqual([list(root, 'z')['z'], list(root, 'w')['w']], ['644 1000:1001 f', '644 1:1 of'])
    await assert.rejects(run('FROM base\nCOPY --from=other /nope /x'), { message: 'COPY failed: stat nope: file does not exist' })
  })
})

describe('extended attributes', () => {
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')

  test('of the user, and capabilities, come along, and count for the cache', async () => {
    const other = join(fixture.base, 'other')
    mkdirSync(join(other, 'o/p'), { recursive: true })
    writeFileSync(join(other, 'o/f'), 'of')
    setXattr(join(other, 'o/f'), 'security.capability', capability)
    setXattr(join(other, 'o/p'), 'user.note', Buffer.from('kept'))
    // What an overlay marks its directories with is no part of the file.
    setXattr(join(other, 'o/p'), 'trusted.overlay.opaque', Buffer.from('y'))
    fixture.executor.add('other', {}, other)
    const dockerfile = 'FROM base\nCOPY --from=other /o /x\nCOPY --from=other --chown=5 --chmod=700 /o/f /y'
    const root = await run(dockerfile)
    for (const name of ['x/f', 'y']) assert.deepEqual(getXattr(join(root, name), 'security.capability'), capability, name)
    assert.deepEqual(listXattrs(join(root, 'x/p')), ['user.note'])
    assert.deepEqual(getXattr(join(root, 'x/p'), 'user.note'), Buffer.from('kept'))
    await run(dockerfile)
    assert.ok(fixture.wasCached())
    for (const change of [(): void => setXattr(join(other, 'o/p'), 'user.note', Buffer.from('other')), (): void => removeXattr(join(other, 'o/f'), 'security.capability')]) {
      change()
      // An image is as it is; another one has another id.
      fixture.executor.add('other', { Labels: { at: String(change) } }, other)
      await run('FROM base\nCOPY --from=other /o /x')
      assert.ok(!fixture.wasCached())
    }
  })
})

describe('directories that are made for a destination', () => {
  test('have the owner of --chown, and what BuildKit leaves of the mode of --chmod', async () => {
    put({ f: 'f', 'd/g': 'g' })
    const root = await run('FROM base\nCOPY --chown=5:6 d /a/b/\nCOPY --chown=5:6 --chmod=1777 d /c/d\nCOPY --chmod=0700 f /e/f/\nCOPY --chmod=go-rwx d /h')
    assert.deepEqual(list(root, 'a'), { a: '755 5:6 directory', 'a/b': '755 5:6 directory', 'a/b/g': '644 5:6 g' })
    assert.deepEqual(list(root, 'c'), { c: '755 5:6 directory', 'c/d': '755 5:6 directory', 'c/d/g': '1777 5:6 g' })
    assert.deepEqual(list(root, 'e'), { e: '700 0:0 directory', 'e/f': '700 0:0 directory', 'e/f/f': '700 0:0 f' })
    assert.deepEqual(list(root, 'h'), { h: '755 0:0 directory', 'h/g': '600 0:0 g' })
  })
})

describe('here-documents', () => {
  test('are files', async () => {
    const root = await run('FROM base\nENV v=value\nCOPY --chmod=755 <<a.sh <<"b" /d/\necho "$v" \\$v\na.sh\n$v\nb\nCOPY <<-EOF /e\n\ttabs\nEOF')
    assert.deepEqual(list(root, 'd'), { d: '755 0:0 directory', 'd/a.sh': '755 0:0 echo "value" $v\n', 'd/b': '755 0:0 $v\n' })
    assert.equal(list(root, 'e')['e'], '644 0:0 tabs\n')
    await assert.rejects(run('FROM base\nCOPY <<../x /d/\nhi\n../x'), { message: 'COPY failed: invalid name of a here-document: ../x' })
  })
})

describe('the cache', () => {
  test('goes by content, mode and name, not by time or owner', async () => {
    put({ 'd/f': 'one', 'd/g': 'two' })
    const file = 'FROM base\nCOPY d /d'
    await run(file)
    assert.ok(!fixture.wasCached())
    utimesSync(join(fixture.context, 'd/f'), 1, 1)
    chownSync(join(fixture.context, 'd/f'), 12, 12)
    await run(file)
    assert.ok(fixture.wasCached())
    const changes: (() => void)[] = [
      () => writeFileSync(join(fixture.context, 'd/f'), 'onE'),
      () => chmodSync(join(fixture.context, 'd/f'), 0o755),
      () => symlinkSync('a', join(fixture.context, 'd/l')),
      () => put({ 'd/h': '' }),
      () => rmSync(join(fixture.context, 'd/g')),
    ]
    for (const change of changes) {
      change()
      await run(file)
      assert.ok(!fixture.wasCached(), String(change))
      await run(file)
      assert.ok(fixture.wasCached())
    }
    await run('FROM base\nCOPY --chown=1 d /d')
    assert.ok(!fixture.wasCached())
  })
})
