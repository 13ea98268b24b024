import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { defaultLimits, type TarEntry, type TarLimits } from './entry.ts'
import { parseNumber } from './header.ts'
import { parsePax, parsePaxTime, writePax, writePaxTime } from './pax.ts'
import { TarReader } from './reader.ts'
import { endOfArchive, newEntry, padding, writeEntry } from './writer.ts'

interface Read {
  readonly entry: TarEntry
  /** Content with its holes. */
  readonly content: Buffer
}

function read(tar: Buffer, limits: TarLimits = defaultLimits, piece = tar.length): Read[] {
  const entries: Read[] = []
  let open: { entry: TarEntry; content: Buffer } | undefined
  const reader = new TarReader(
    {
      entry: (entry) => void (open = { entry, content: Buffer.alloc(entry.size) }),
      content: (chunk, offset) => void chunk.copy(open?.content as Buffer, offset),
      finish: () => void entries.push(open as Read),
    },
    limits,
  )
  for (let at = 0; at < tar.length; at += piece) reader.push(tar.subarray(at, at + piece))
  reader.end()
  assert.equal(reader.entries, entries.length)
  return entries
}

function archive(...entries: readonly (readonly [TarEntry, Buffer?])[]): Buffer {
  return Buffer.concat([...entries.flatMap(([entry, content = Buffer.alloc(0)]) => [writeEntry(entry), content, padding(content.length)]), endOfArchive])
}

const bytes = (length: number) => fc.uint8Array({ minLength: 1, maxLength: length }).map((array) => Buffer.from(array).map((byte) => byte || 1)).map((array) => Buffer.from(array))
const entryArbitrary = fc
  .record({
    type: fc.constantFrom('file', 'directory', 'symlink', 'hardlink', 'char', 'block', 'fifo'),
    path: fc.oneof(bytes(300), fc.stringMatching(/^([a-z]{1,40}\/){1,8}[a-z]{1,30}$/).map((text) => Buffer.from(text))),
    mode: fc.nat(0o7777),
    uid: fc.oneof(fc.nat(70000), fc.nat(2 ** 31)),
    gid: fc.oneof(fc.nat(70000), fc.constant(2 ** 32 - 2)),
    mtime: fc.oneof(fc.nat(2 ** 31).map((seconds) => BigInt(seconds) * 1_000_000_000n), fc.bigInt(-(2n ** 62n), 2n ** 63n)),
    linkPath: bytes(200),
    userName: fc.oneof(fc.constant(Buffer.from('root')), bytes(60)),
    xattrs: fc.dictionary(fc.stringMatching(/^(security|user)\.[a-z]{1,20}$/), bytes(100), { maxKeys: 3 }).map((all) => new Map(Object.entries(all))),
    content: fc.uint8Array({ maxLength: 1500 }).map((array) => Buffer.from(array)),
    device: fc.tuple(fc.nat(4095), fc.nat(2 ** 20 - 1)),
  })
  .map(({ type, content, device, linkPath, ...rest }): readonly [TarEntry, Buffer] => {
    const isFile = type === 'file'
    const isDevice = type === 'char' || type === 'block'
    const entry = newEntry(type, rest.path, {
      ...rest,
      size: isFile ? content.length : 0,
      linkPath: type === 'symlink' || type === 'hardlink' ? linkPath : Buffer.alloc(0),
      deviceMajor: isDevice ? device[0] : 0,
      deviceMinor: isDevice ? device[1] : 0,
    })
    return [entry, isFile ? content : Buffer.alloc(0)]
  })

describe('tar', () => {
  test('what is written is read back, byte for byte, in pieces of any size', () => {
    fc.assert(
      fc.property(fc.array(entryArbitrary, { maxLength: 4 }), fc.integer({ min: 1, max: 2000 }), (entries, piece) => {
        const back = read(archive(...entries), defaultLimits, piece)
        assert.deepEqual(back, entries.map(([entry, content]) => ({ entry, content })))
      }),
      { numRuns: 150 },
    )
  })

  test('reading what is no tar ends with an error and no other way', () => {
    const [sample] = fc.sample(entryArbitrary, { numRuns: 1, seed: 7 })
    const good = archive(sample as readonly [TarEntry, Buffer], [newEntry('file', 'x', { size: 3 }), Buffer.from('abc')])
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
        const bad = Buffer.from(good.subarray(0, length))
        if (at < bad.length) bad[at] = value
        try {
          read(bad)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'invalid-argument', String(error))
        }
      }),
      { numRuns: 500 },
    )
    assert.throws(() => read(Buffer.from('garbage\n')), { message: 'unexpected EOF' })
    // Cut anywhere but between entries, in the padding too: more may have followed.
    const two = archive([newEntry('file', 'a', { size: 5 }), Buffer.from('kept\n')], [newEntry('file', 'b')])
    for (const length of [1, 511, 513, 516, 517, 600, 1023, 1025]) assert.throws(() => read(two.subarray(0, length)), { message: 'unexpected EOF' }, String(length))
    for (const length of [512 + 512, 1536]) read(two.subarray(0, length))
    assert.throws(() => read(Buffer.alloc(2048, 0x41)), { message: /^archive\/tar: invalid tar header/ })
    assert.deepEqual(read(Buffer.alloc(0)), [])
  })

  test('limits are kept', () => {
    const limits: TarLimits = { ...defaultLimits, entries: 2, pathBytes: 200, paxBytes: 1000, extents: 2, contentBytes: 100, depth: 3 }
    const file = (path: string, size: number): readonly [TarEntry, Buffer] => [newEntry('file', path, { size }), Buffer.alloc(size)]
    assert.equal(read(archive(file('a', 50), file('b', 50)), limits).length, 2)
    assert.throws(() => read(archive(file('a', 0), file('b', 0), file('c', 0)), limits), { message: 'the archive has more than 2 entries' })
    assert.throws(() => read(archive(file('a', 60), file('b', 60)), limits), { message: "the archive's files are larger than 100 bytes" })
    assert.throws(() => read(archive(file('a'.repeat(201), 0)), limits), { message: 'a path of the archive is longer than 200 bytes' })
    const large = newEntry('file', 'a', { xattrs: new Map([['user.x', Buffer.alloc(2000)]]) })
    assert.throws(() => read(archive([large]), limits), { message: 'an extended header of the archive is larger than 1000 bytes' })
  })

  test('numbers are octal or base-256', () => {
    const field = (text: string) => parseNumber(Buffer.from(text, 'latin1'))
    assert.equal(field('0000644\0'), 0o644)
    assert.equal(field('   644 \0'), 0o644)
    assert.equal(field('\0\0\0\0\0\0\0\0'), 0)
    assert.equal(field('\x80\0\0\0\x01\0\0\0'), 2 ** 24)
    assert.equal(field('\xff\xff\xff\xff\xff\xff\xff\xfe'), -2)
    assert.throws(() => field('12x'), { code: 'invalid-argument' })
    assert.throws(() => field('0009'), { code: 'invalid-argument' })
    assert.throws(() => field('\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'), { code: 'invalid-argument' })
  })

  test('pax records keep binary values and count themselves', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.stringMatching(/^[a-zA-Z.]{1,30}$/), fc.uint8Array({ maxLength: 1200 })), { maxLength: 5 }), (records) => {
        const wanted = records.map(([key, value]) => [key, Buffer.from(value)] as const)
        assert.deepEqual(parsePax(writePax(wanted)), wanted)
      }),
    )
    for (const bad of ['5 a=b', '7 a=b\n', '3 =\n', '06 a=b\n', '99999999999 a=b\n', ' a=b\n', '6 ab=\n7', '-6 a=b\n']) {
      assert.throws(() => parsePax(Buffer.from(bad)), { code: 'invalid-argument' }, bad)
    }
  })

  test('times have nanoseconds, before 1970 as well', () => {
    for (const [text, value] of [['0', 0n], ['1.5', 1_500_000_000n], ['-1.5', -1_500_000_000n], ['1.000000001', 1_000_000_001n], ['2.1234567899', 2_123_456_789n]] as const) {
      assert.equal(parsePaxTime(Buffer.from(text)), value)
    }
    fc.assert(fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n), (time) => parsePaxTime(writePaxTime(time)) === time))
    assert.throws(() => parsePaxTime(Buffer.from('1e9')), { code: 'invalid-argument' })
  })
})

describe('GNU tar', () => {
  const long = `${'directory/'.repeat(30)}${'n'.repeat(90)}`

  test('reads what is written here', (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'tar-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const tar = join(directory, 'a.tar')
    writeFileSync(
      tar,
      archive(
        [newEntry('directory', 'd/', { mode: 0o1777 })],
        [newEntry('file', 'd/é', { size: 5, mtime: 1_500_000_000_123_456_789n }), Buffer.from('hello')],
        [newEntry('file', long, { uid: 3_000_000_000, gid: 5 })],
        [newEntry('symlink', 'd/link', { linkPath: Buffer.from(long) })],
        [newEntry('hardlink', 'd/hard', { linkPath: Buffer.from('d/é') })],
        [newEntry('char', 'd/null', { deviceMajor: 1, deviceMinor: 3 })],
        [newEntry('fifo', 'd/fifo')],
      ),
    )
    const list = execFileSync('tar', ['--full-time', '--numeric-owner', '--utc', '--quoting-style=literal', '-tvf', tar], { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' } })
    const lines = list.trimEnd().split('\n').map((line) => line.replace(/ +/g, ' '))
    assert.deepEqual(lines, [
      'drwxrwxrwt 0/0 0 1970-01-01 00:00:00 d/',
      '-rw-r--r-- 0/0 5 2017-07-14 02:40:00.123456789 d/é',
      `-rw-r--r-- 3000000000/5 0 1970-01-01 00:00:00 ${long}`,
      `lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 d/link -> ${long}`,
      'hrw-r--r-- 0/0 0 1970-01-01 00:00:00 d/hard link to d/é',
      'crw-r--r-- 0/0 1,3 1970-01-01 00:00:00 d/null',
      'prw-r--r-- 0/0 0 1970-01-01 00:00:00 d/fifo',
    ])
  })

  for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'posix']) {
    test(`is read in its format ${format}`, (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'tar-'))
      t.after(() => rmSync(directory, { recursive: true }))
      const tree = join(directory, 'tree')
      const isLong = format !== 'v7'
      const deep = isLong ? `${'directory/'.repeat(format === 'ustar' ? 10 : 30)}name` : 'short'
      mkdirSync(join(tree, deep, '..'), { recursive: true })
      writeFileSync(join(tree, deep), 'content', { mode: 0o640 })
      utimesSync(join(tree, deep), 1_500_000_000.25, 1_500_000_000.25)
      const target = isLong ? 'x'.repeat(format === 'ustar' ? 99 : 250) : 'target'
      symlinkSync(target, join(tree, 'link'))
      execFileSync('mkfifo', [join(tree, 'fifo')])
      if (format === 'v7') rmSync(join(tree, 'fifo'))
      const tar = execFileSync('tar', [`--format=${format}`, '-C', tree, '--sort=name', '--owner=12', '--group=34', '-cf', '-', '.'], { maxBuffer: 1 << 26 })
      const entries = new Map(read(tar, defaultLimits, 777).map((item) => [item.entry.path.toString(), item]))
      const file = entries.get(`./${deep}`)
      assert.equal(file?.content.toString(), 'content')
      assert.equal(file?.entry.mode, 0o640)
      assert.equal(file?.entry.uid, 12)
      assert.equal(file?.entry.gid, 34)
      assert.equal(file?.entry.mtime, format === 'posix' ? 1_500_000_000_250_000_000n : 1_500_000_000_000_000_000n)
      assert.equal(entries.get('./link')?.entry.linkPath.toString(), target)
      assert.equal(entries.get('./')?.entry.type, 'directory')
      if (format !== 'v7') assert.equal(entries.get('./fifo')?.entry.type, 'fifo')
    })
  }

  for (const [version, options] of [
    ['old', ['--format=gnu']],
    ['0.0', ['--format=posix', '--sparse-version=0.0']],
    ['0.1', ['--format=posix', '--sparse-version=0.1']],
    ['1.0', ['--format=posix', '--sparse-version=1.0']],
  ] as const) {
    test(`is read with sparse files of version ${version}`, (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'tar-'))
      t.after(() => rmSync(directory, { recursive: true }))
      const size = 3 << 20
      const expected = Buffer.alloc(size)
      const fd = openSync(join(directory, 'sparse'), 'w')
      for (let part = 0; part < 40; part++) {
        const data = Buffer.from(`part ${part}`)
        writeSync(fd, data, 0, data.length, part * 65536)
        data.copy(expected, part * 65536)
      }
      closeSync(fd)
      execFileSync('truncate', ['-s', String(size), join(directory, 'sparse')])
      writeFileSync(join(directory, 'tail'), 'after')
      const tar = execFileSync('tar', ['--sparse', '--hole-detection=raw', ...options, '-C', directory, '-cf', '-', 'sparse', 'tail'], { maxBuffer: 1 << 26 })
      assert.ok(tar.length < 1 << 20, 'the archive is sparse')
      const [sparse, tail] = read(tar, defaultLimits, 1000)
      assert.equal(sparse?.entry.path.toString(), 'sparse')
      assert.equal(sparse?.entry.size, statSync(join(directory, 'sparse')).size)
      assert.ok(sparse?.content.equals(expected))
      assert.ok((sparse?.entry.extents?.length ?? 0) >= 40)
      assert.equal(tail?.content.toString(), 'after')
      assert.throws(() => read(tar, { ...defaultLimits, extents: 10 }), { message: 'a sparse file of the archive has more than 10 parts' })
    })
  }
})
