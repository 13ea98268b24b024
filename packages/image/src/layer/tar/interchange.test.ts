import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, linkSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { defaultLimits, type TarEntry } from './entry.ts'
import { TarReader } from './reader.ts'
import { endOfArchive, newEntry, padding, writeEntry } from './writer.ts'

/** An entry as every tool can tell it; times in whole seconds. */
type Told = readonly [type: string, path: string, size: number, mode: number, uid: number, gid: number, mtime: number, link: string]

function read(tar: Buffer): { readonly entries: TarEntry[]; readonly reader: TarReader } {
  const entries: TarEntry[] = []
  const reader = new TarReader({ entry: (entry) => void entries.push(entry), content: () => undefined, finish: () => undefined }, defaultLimits)
  reader.push(tar)
  reader.end()
  return { entries, reader }
}

/** Whole seconds, before 1970 too. */
const seconds = (nanoseconds: bigint): number => Math.floor(Number(nanoseconds / 1_000_000n) / 1000)
const cleaned = (path: Buffer): string => path.toString('latin1').replace(/^\.\//, '').replace(/\/+$/, '')
const ours = (tar: Buffer): Told[] => read(tar).entries.map(({ type, path, size, mode, uid, gid, mtime, linkPath }) => [type, cleaned(path), size, mode, uid, gid, seconds(mtime), linkPath.toString('latin1').replace(/^\.\//, '')])

/** Python's tarfile, which knows all formats; bytes come as latin1. */
const lister = `
import sys, tarfile, json
kinds = {b'0': 'file', b'\\0': 'file', b'7': 'file', b'S': 'file', b'5': 'directory', b'2': 'symlink', b'1': 'hardlink', b'3': 'char', b'4': 'block', b'6': 'fifo'}
text = lambda s: s.encode('utf-8', 'surrogateescape').decode('latin1')
with tarfile.open(fileobj=sys.stdin.buffer, mode='r|', encoding='utf-8', errors='surrogateescape') as tar:
  print(json.dumps([[kinds[m.type], text(m.name).removeprefix('./').rstrip('/'), m.size if m.isreg() else 0, m.mode, m.uid, m.gid, int(m.mtime * 1000 // 1 // 1000), text(m.linkname).removeprefix('./')] for m in tar]))
`
const writer = `
import sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=int(sys.argv[1]), encoding='utf-8', errors='surrogateescape') as tar:
  tar.add(sys.argv[2], '.')
`
const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined
const python = (program: string, args: readonly string[], input?: Buffer): Buffer => execFileSync('python3', ['-c', program, ...args], { maxBuffer: 1 << 28, ...(input === undefined ? {} : { input }) })
const told = (tar: Buffer): Told[] => JSON.parse(python(lister, [], tar).toString()) as Told[]

const sorted = (all: readonly Told[]): Told[] => all.filter(([, path]) => path !== '' && path !== '.').toSorted((a, b) => (a[1] < b[1] ? -1 : 1))

let directory = ''
const deep = `${'directory/'.repeat(20)}${'n'.repeat(120)}`
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'tar-interchange-'))
  const tree = join(directory, 'tree')
  const make = (path: string | Buffer, content: string, mode: number): void => writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(path)]), content, { mode })
  mkdirSync(join(tree, deep, '..'), { recursive: true })
  make(deep, 'deep', 0o644)
  make('new\nline', 'newline', 0o600)
  make(Buffer.from([0x6c, 0xe9, 0xff]), 'no utf-8', 0o640)
  make('ümläut', 'utf-8', 0o4755)
  make('empty', '', 0o400)
  make('large', 'x'.repeat(100_000), 0o644)
  make('before-1970', 'old', 0o644)
  utimesSync(join(tree, 'large'), 1_700_000_000.75, 1_700_000_000.75)
  utimesSync(join(tree, 'before-1970'), -86_400, -86_400)
  linkSync(join(tree, 'large'), join(tree, 'linked'))
  symlinkSync(deep, join(tree, 'link'))
  lutimesSync(join(tree, 'link'), 1_600_000_000, 1_600_000_000)
  execFileSync('mkfifo', [join(tree, 'fifo')])
  if (process.getuid?.() === 0) chownSync(join(tree, 'empty'), 3_000_000_000, 2_500_000)
})
after(() => rmSync(directory, { recursive: true, force: true }))

/** Archives of one tree by each tool in each of its formats. ustar has no room for some of it. */
const formats: readonly (readonly [name: string, tool: string, make: (tree: string) => Buffer])[] = [
  ...(['gnu', 'posix'] as const).map((format) => [`GNU tar, ${format}`, 'tar', (tree: string) => execFileSync('tar', [`--format=${format}`, '-C', tree, '-cf', '-', '.'], { maxBuffer: 1 << 28 })] as const),
  ...(['pax', 'gnutar'] as const).map((format) => [`bsdtar, ${format}`, 'bsdtar', (tree: string) => execFileSync('bsdtar', ['--format', format, '-C', tree, '-cf', '-', '.'], { maxBuffer: 1 << 28, env: { ...process.env, LC_ALL: 'C.UTF-8' } })] as const),
  ...([[1, 'gnu'], [2, 'pax']] as const).map(([format, name]) => [`Python, ${name}`, 'python3', (tree: string) => python(writer, [String(format), tree])] as const),
]

describe('a tree that another tool has archived', () => {
  for (const [name, tool, make] of formats) {
    test(`is read as it is: ${name}`, (t) => {
      if (!has(tool)) return t.skip(`${tool} is not installed`)
      const tree = join(directory, 'tree')
      const found = new Map(ours(make(tree)).map((entry) => [entry[1], entry]))
      const paths = readdirSync(Buffer.from(tree), { encoding: 'buffer' }).map((path) => path.toString('latin1'))
      for (const path of [...paths, deep]) {
        const stats = lstatSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(path, 'latin1')]))
        const entry = found.get(path)
        assert.ok(entry !== undefined, JSON.stringify(path))
        const [type, , size, mode, uid, gid, mtime, link] = entry
        if (type === 'hardlink') {
          assert.equal(stats.nlink, 2)
          assert.ok(['large', 'linked'].includes(link))
          continue
        }
        assert.equal(type, stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'symlink' : 'fifo', path)
        assert.deepEqual([mode, uid, gid, mtime], [stats.mode & 0o7777, stats.uid, stats.gid, Math.floor(stats.mtimeMs / 1000)], path)
        assert.equal(size, stats.isFile() ? stats.size : 0, path)
        if (stats.isSymbolicLink()) assert.equal(link, deep)
      }
    })
  }
})

const name = fc.oneof(fc.stringMatching(/^[a-z]{1,12}$/), fc.stringMatching(/^[a-z]{90,150}$/), fc.constantFrom('new\nline', 'é', 'sp ace', '-dash', 'back\\slash'))
const entry = fc
  .record({
    type: fc.constantFrom('file', 'directory', 'symlink', 'hardlink', 'char', 'fifo'),
    path: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    mode: fc.nat(0o7777), uid: fc.oneof(fc.nat(3000), fc.integer({ min: 2 ** 21, max: 2 ** 32 - 2 })), gid: fc.nat(2 ** 22),
    seconds: fc.oneof(fc.nat(2 ** 31), fc.integer({ min: -100_000, max: -1 }), fc.integer({ min: 2 ** 33, max: 2 ** 34 })),
    fraction: fc.constantFrom(0n, 123_456_789n),
    link: fc.stringMatching(/^[a-z]{1,150}$/),
    size: fc.nat(1500),
  })
  .map(({ type, path, mode, uid, gid, seconds, fraction, link, size }) => {
    const isFile = type === 'file'
    const made = newEntry(type, type === 'directory' ? `${path}/` : path, {
      mode, uid, gid, size: isFile ? size : 0, mtime: BigInt(seconds) * 1_000_000_000n + fraction,
      ...(type === 'symlink' || type === 'hardlink' ? { linkPath: Buffer.from(link) } : {}),
      ...(type === 'char' ? { deviceMajor: 1, deviceMinor: 3 } : {}),
    })
    return [made, Buffer.alloc(made.size, 'c')] as const
  })
const archive = fc.array(entry, { minLength: 1, maxLength: 40 }).map((all) => Buffer.concat([...all.flatMap(([one, content]) => [writeEntry(one), content, padding(content.length)]), endOfArchive]))

describe('an archive that is written here', () => {
  test('is read the same by Python', (t) => {
    if (!has('python3')) return t.skip('python3 is not installed')
    fc.assert(fc.property(archive, (tar) => assert.deepEqual(sorted(told(tar)), sorted(ours(tar)))), { numRuns: 6 })
  })

  for (const tool of ['tar', 'bsdtar']) {
    test(`and by ${tool}: names, in order`, (t) => {
      if (!has(tool)) return t.skip(`${tool} is not installed`)
      fc.assert(fc.property(archive, (tar) => {
        // Names go out through --null or by themselves: those with a newline are left to the other tools.
        const expected = ours(tar).map(([, path]) => path).filter((path) => !path.includes('\n'))
        const quoting = tool === 'tar' ? ['--quoting-style=literal'] : []
        const listed = execFileSync(tool, [...quoting, '-tf', '-'], { input: tar, env: { ...process.env, LC_ALL: 'C.UTF-8' }, maxBuffer: 1 << 26 })
        const lines = new Set(listed.toString('latin1').split('\n').map((line) => line.replace(/\/$/, '')))
        for (const path of expected) {
          const shown = tool === 'bsdtar' ? path.replaceAll('\\', '\\\\') : path
          assert.ok(lines.has(shown), `${JSON.stringify(path)} of ${listed.toString()}`)
        }
      }), { numRuns: 6 })
    })
  }

  test('read by Python and archived again by it, is the same', (t) => {
    if (!has('python3')) return t.skip('python3 is not installed')
    const again = `
import sys, tarfile
source = tarfile.open(fileobj=sys.stdin.buffer, mode='r|', encoding='utf-8', errors='surrogateescape')
target = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT, encoding='utf-8', errors='surrogateescape')
for member in source:
  member.pax_headers = {}
  target.addfile(member, source.extractfile(member) if member.isreg() else None)
target.close()
`
    // Its other format knows no fractions of a second.
    fc.assert(fc.property(archive, (tar) => assert.deepEqual(ours(python(again, [], tar)), ours(tar))), { numRuns: 4 })
  })
})

/** Values that fields of a header are set to: the ends of their ranges, signs, other bases, no numbers. */
const extremes = ['', '7', '00000000000\0', '77777777777\0', '-1', ' 1 ', '999', '\u0080\0\0\0\0\0\0\0\0\0\u0001', '\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff', '\u0080\u007f\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff', '\0'.repeat(12)].map((text) => Buffer.from(text, 'latin1'))
/** Offset and length of a header's fields (POSIX ustar, and GNU's sparse ones). */
const fields = [[0, 100], [100, 8], [108, 8], [116, 8], [124, 12], [136, 12], [156, 1], [157, 100], [257, 8], [329, 8], [337, 8], [345, 155], [386, 12], [398, 12], [482, 1], [483, 12]] as const

function withChecksum(block: Buffer): void {
  block.fill(' ', 148, 156)
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
}

describe('a damaged archive', () => {
  test('ends in an error of the archive’s, or is read; nothing else happens', (t) => {
    if (!formats.every(([, tool]) => has(tool))) return t.skip('bsdtar or python3 is not installed')
    const tree = join(directory, 'tree')
    execFileSync('sh', ['-c', 'dd if=/dev/urandom of=sparse bs=4096 count=1 && truncate -s 1M sparse && dd if=/dev/urandom of=sparse bs=4096 count=1 seek=200 conv=notrunc'], { cwd: tree, stdio: 'ignore' })
    const sparse = ['--format=gnu', '--sparse-version=0.0', '--sparse-version=0.1', '--sparse-version=1.0'].map((option) => execFileSync('tar', ['--sparse', option, ...(option.includes('version') ? ['--format=posix'] : []), '-C', tree, '-cf', '-', 'sparse', 'empty']))
    // The headers are what is of interest: of a large file's content a part is enough.
    const corpus = [...formats.map(([, , make]) => make(tree)), ...sparse].map((tar) => tar.subarray(0, 40 * 1024))
    const block = fc.nat(79)
    const change = fc.oneof(
      fc.record({ kind: fc.constant('byte' as const), at: fc.nat(40 * 1024), value: fc.nat(255) }),
      fc.record({ kind: fc.constant('field' as const), block, field: fc.constantFrom(...fields), value: fc.constantFrom(...extremes) }),
      fc.record({ kind: fc.constant('swap' as const), one: block, other: block }),
      fc.record({ kind: fc.constant('zero' as const), block }),
      fc.record({ kind: fc.constant('cut' as const), at: fc.nat(40 * 1024) }),
    )
    let refused = 0
    fc.assert(fc.property(fc.constantFrom(...corpus), fc.array(change, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 3000 }), (seed, changes, piece) => {
      let tar = Buffer.from(seed)
      const at = (index: number): Buffer => tar.subarray(index * 512, index * 512 + 512)
      for (const one of changes) {
        if (one.kind === 'byte' && one.at < tar.length) tar[one.at] = one.value
        else if (one.kind === 'cut') tar = tar.subarray(0, one.at)
        else if (one.kind === 'zero') at(one.block).fill(0)
        else if (one.kind === 'swap') {
          const [first, second] = [Buffer.from(at(one.one)), Buffer.from(at(one.other))]
          if (first.length === second.length) {
            second.copy(at(one.one))
            first.copy(at(one.other))
          }
        } else if (one.kind === 'field') {
          const header = at(one.block)
          const [offset, length] = one.field
          if (header.length < 512) continue
          header.fill(0, offset, offset + length)
          one.value.copy(header, offset, 0, length)
          withChecksum(header)
        }
      }
      let [content, last] = [0, 0]
      const reader = new TarReader({
        entry: (entry) => {
          assert.ok(Number.isSafeInteger(entry.size) && entry.size >= 0)
          assert.ok(!entry.path.includes(0) && entry.path.length <= defaultLimits.pathBytes)
          last = entry.size
        },
        content: (chunk, offset) => {
          content += chunk.length
          assert.ok(offset >= 0 && offset + chunk.length <= last)
        },
        finish: () => undefined,
      }, defaultLimits)
      try {
        for (let from = 0; from < tar.length; from += piece) reader.push(tar.subarray(from, from + piece))
        reader.end()
      } catch (error) {
        refused++
        assert.equal((error as { code?: string }).code, 'invalid-argument', String((error as Error).stack))
      }
      assert.ok(content <= tar.length)
    }), { numRuns: 2000 })
    assert.ok(refused > 200, `${refused} of 2000 were refused`)
  })
})
